"""Anthropic's own Python client against madang."""
import anthropic
import pytest

QUESTION = [{"role": "user", "content": "What is the capital of Korea? Answer in one sentence."}]


def ask(claude, model, **more):
    extra = {"temperature": 0, **more.pop("extra_body", {})}  # the newest client has no parameter for it
    return claude.messages.create(**{"model": model, "messages": QUESTION, "max_tokens": 24, "extra_body": extra, **more})


def test_message(claude, model):
    message = ask(claude, model)
    assert "Seoul" in message.content[0].text and message.role == "assistant" and message.type == "message"
    assert message.stop_reason in ("end_turn", "max_tokens")
    counted = claude.messages.count_tokens(model=model, messages=QUESTION)
    assert counted.input_tokens == message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0)


def test_stream(claude, model):
    whole = ask(claude, model).content[0].text
    with claude.messages.stream(model=model, messages=QUESTION, max_tokens=24, extra_body={"temperature": 0}) as stream:
        assert "".join(stream.text_stream) == whole
        final = stream.get_final_message()
    assert final.content[0].text == whole and final.usage.output_tokens > 0


def test_system_and_stop(claude, model):
    message = ask(claude, model, system="You answer in English.", stop_sequences=["Seoul"])
    assert message.stop_reason == "stop_sequence" and message.stop_sequence == "Seoul"
    assert "Seoul" not in message.content[0].text


def test_tool_round_trip(claude, model):
    tool = {"name": "get_weather", "description": "The weather of a city",
            "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
    message = ask(claude, model, tools=[tool], tool_choice={"type": "tool", "name": "get_weather"}, max_tokens=64,
                  messages=[{"role": "user", "content": "Weather in Seoul?"}])
    use = [block for block in message.content if block.type == "tool_use"]
    assert use and use[0].name == "get_weather"
    again = ask(claude, model, tools=[tool], messages=[
        {"role": "user", "content": "Weather in Seoul?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": use[0].id, "name": "get_weather",
                                           "input": {"city": "Seoul"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use[0].id, "content": "sunny"}]}])
    assert again.content


def test_errors(claude, model):
    with pytest.raises(anthropic.BadRequestError) as error:
        ask(claude, model, extra_body={"no_such_field": 1})
    assert error.value.body["type"] == "error" and "no_such_field" in str(error.value)
    with pytest.raises(anthropic.NotFoundError):
        ask(claude, "no-such-model")
    with pytest.raises(anthropic.AuthenticationError):
        ask(claude.with_options(api_key="wrong"), model)
