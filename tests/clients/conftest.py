"""What the client tests are given: a server's address, its models and a key; all set by tests/clients/run."""
import os

import anthropic
import openai
import pytest


def setting(name):
    if name not in os.environ:
        pytest.exit(f"{name} is not set: start these tests with tests/clients/run", returncode=2)
    return os.environ[name]


@pytest.fixture(scope="session")
def url():
    return setting("MADANG_URL")


@pytest.fixture(scope="session")
def model():
    return setting("MADANG_MODEL")


@pytest.fixture(scope="session")
def key():
    return setting("MADANG_KEY")


@pytest.fixture(scope="session")
def client(url, key):
    return openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0, timeout=300)


@pytest.fixture(scope="session")
def claude(url, key):
    return anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=300)


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
