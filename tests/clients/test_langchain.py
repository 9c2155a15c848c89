"""langchain-openai against madang."""
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings


def chat(url, key, model, **more):
    return ChatOpenAI(base_url=url + "/v1", api_key=key, model=model, temperature=0, max_completion_tokens=24,
                      max_retries=0, **more)


MESSAGES = [SystemMessage("You are brief."), HumanMessage("What is the capital of Korea?")]


def test_invoke_and_stream(url, key, model):
    llm = chat(url, key, model)
    answer = llm.invoke(MESSAGES)
    assert "Seoul" in answer.content and answer.usage_metadata["output_tokens"] > 0
    assert "".join(chunk.content for chunk in llm.stream(MESSAGES)) == answer.content
    assert [a.content for a in llm.batch([MESSAGES, MESSAGES])] == [answer.content] * 2


def test_responses_api(url, key, model):
    answer = chat(url, key, model, use_responses_api=True).invoke(MESSAGES)
    assert "Seoul" in str(answer.content)


def test_tools(url, key, model):
    @tool
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return "sunny"
    llm = chat(url, key, model).bind_tools([get_weather], tool_choice="get_weather")
    answer = llm.invoke("Weather in Seoul?")
    calls = answer.tool_calls + answer.invalid_tool_calls
    assert calls and calls[0]["name"] == "get_weather"


def test_embeddings(url, key, model):
    embed = OpenAIEmbeddings(base_url=url + "/v1", api_key=key, model=model, check_embedding_ctx_length=False)
    one, two = embed.embed_documents(["a dog", "a cat"])
    assert len(one) == len(two) and one != two and embed.embed_query("a dog") == one
