"""OpenAI's own Python client against madang: what its users do, with what they get."""
import base64
import concurrent.futures
import json
import math
import struct
import time

import openai
import pytest
from conftest import WEATHER

QUESTION = [{"role": "user", "content": "What is the capital of Korea? Answer in one sentence."}]


def ask(client, model, **more):
    options = {"messages": QUESTION, "temperature": 0, "max_tokens": 24, **more}
    return client.chat.completions.create(model=model, **options)


def joined(stream, choice=0):
    return "".join(c.delta.content or "" for chunk in stream for c in chunk.choices if c.index == choice)


# Models


def test_models(client, model):
    names = [m.id for m in client.models.list()]
    assert model in names
    assert client.models.retrieve(model).object == "model"
    with pytest.raises(openai.NotFoundError) as error:
        client.models.retrieve("no-such-model")
    assert error.value.code == "model_not_found"


# Chat


def test_chat(client, model):
    answer = ask(client, model)
    choice = answer.choices[0]
    assert "Seoul" in choice.message.content and choice.message.role == "assistant"
    assert choice.finish_reason in ("stop", "length")
    usage = answer.usage
    assert usage.prompt_tokens > 10 and usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_stream_is_the_answer(client, model):
    whole = ask(client, model).choices[0].message.content
    chunks = list(ask(client, model, stream=True, stream_options={"include_usage": True}))
    assert joined(chunks) == whole
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] in ("stop", "length")
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0
    assert all(c.usage is None for c in chunks[:-1])
    assert len({c.id for c in chunks}) == 1


def test_length(client, model):
    answer = ask(client, model, max_completion_tokens=3, max_tokens=openai.omit)
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 3


def test_stop(client, model):
    whole = ask(client, model).choices[0].message.content
    answer = ask(client, model, stop=["Seoul", "never said"])
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content == whole.split("Seoul")[0]


def test_choices(client, model):
    answer = ask(client, model, n=3, temperature=1, seed=7)
    assert sorted(c.index for c in answer.choices) == [0, 1, 2]
    texts = [c.message.content for c in answer.choices]
    assert len(set(texts)) > 1
    chunks = list(ask(client, model, n=3, temperature=1, seed=7, stream=True))
    assert [joined(chunks, i) for i in range(3)] == [c.message.content for c in sorted(answer.choices, key=lambda c: c.index)]


def test_seed_repeats(client, model):
    first, second, other = (ask(client, model, temperature=1, seed=s).choices[0].message.content for s in (5, 5, 6))
    assert first == second != other


def test_logprobs(client, model):
    choice = ask(client, model, logprobs=True, top_logprobs=4).choices[0]
    said = choice.logprobs.content
    assert b"".join(bytes(t.bytes) for t in said).decode().startswith(choice.message.content)
    for token in said:
        assert len(token.top_logprobs) == 4 and token.logprob <= 0
        assert token.top_logprobs[0].logprob >= token.top_logprobs[-1].logprob
        assert token.token == token.top_logprobs[0].token  # temperature 0
    assert sum(math.exp(t.logprob) for t in said[0].top_logprobs) <= 1.0001
    streamed = [t for c in ask(client, model, logprobs=True, top_logprobs=4, stream=True) for x in c.choices if x.logprobs
                for t in x.logprobs.content]
    assert [(t.token, t.logprob) for t in streamed] == [(t.token, t.logprob) for t in said]


def test_logit_bias_and_penalties(client, model, url, key):
    seoul = post(url, key, "/tokenize", {"model": model, "content": " Seoul"})["tokens"][0]
    answer = ask(client, model, logit_bias={str(seoul): -100})
    assert " Seoul" not in answer.choices[0].message.content
    assert ask(client, model, frequency_penalty=1.5, presence_penalty=1).choices[0].message.content


def test_parts_and_roles(client, model):
    messages = [
        {"role": "developer", "content": "You are brief."},
        {"role": "user", "content": [{"type": "text", "text": "Say "}, {"type": "text", "text": "hello."}]},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "한국어로 인사해 주세요."},
    ]
    assert ask(client, model, messages=messages).choices[0].message.content is not None


# Tools


def test_tool_round_trip(client, model):
    named = {"type": "function", "function": {"name": "get_weather"}}
    messages = [{"role": "user", "content": "What is the weather in Seoul?"}]
    options = dict(messages=messages, tools=[WEATHER], tool_choice=named, max_tokens=64)
    answer = ask(client, model, **options)
    message = answer.choices[0].message
    assert message.tool_calls, message
    call = message.tool_calls[0]
    assert call.type == "function" and call.function.name == "get_weather" and call.id
    calls = {}
    for chunk in ask(client, model, stream=True, **options):
        for choice in chunk.choices:
            for piece in choice.delta.tool_calls or []:
                slot = calls.setdefault(piece.index, {"name": "", "arguments": ""})
                slot["name"] += piece.function.name or ""
                slot["arguments"] += piece.function.arguments or ""
    assert calls[0] == {"name": "get_weather", "arguments": call.function.arguments}
    if answer.choices[0].finish_reason == "tool_calls":
        json.loads(call.function.arguments)
    messages += [
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": call.id, "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Seoul"}'}}]},
        {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 degrees"},
    ]
    assert ask(client, model, messages=messages, tools=[WEATHER]).choices[0].message.role == "assistant"


def test_malformed_arguments_in_history(client, model):
    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": '}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    with pytest.raises(openai.BadRequestError) as error:
        ask(client, model, messages=messages, tools=[WEATHER])
    assert "messages[1].tool_calls[0].function.arguments" in (error.value.param or "") + error.value.message
    messages[1]["tool_calls"][0]["function"]["arguments"] = '{"city": "Seoul"}'
    assert ask(client, model, messages=messages, tools=[WEATHER]).choices[0].message.role == "assistant"


# Errors


@pytest.mark.parametrize("more, param", [
    ({"temperature": 3}, "temperature"),
    ({"top_p": 1.5}, "top_p"),
    ({"n": 0}, "n"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": []}, "messages"),
    ({"extra_body": {"max_token": 5}}, "max_token"),
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}}, "response_format"),
    ({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]}, "messages[0].content[0]"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"stop": [""]}, "stop"),
])
def test_refusals_name_the_field(client, model, more, param):
    with pytest.raises(openai.BadRequestError) as error:
        ask(client, model, **more)
    assert (error.value.param or "").startswith(param), error.value
    assert error.value.type == "invalid_request_error"


def test_long_prompt_is_a_400_with_both_numbers(client, model):
    with pytest.raises(openai.BadRequestError) as error:
        ask(client, model, messages=[{"role": "user", "content": "word " * 40_000}])
    assert error.value.code == "context_length_exceeded"
    assert sum(character.isdigit() for character in error.value.message) >= 8


def test_wrong_key(client, model):
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").chat.completions.create(model=model, messages=QUESTION)


# Completions


def test_completions(client, model):
    answer = client.completions.create(model=model, prompt="The capital of France is", max_tokens=5, temperature=0)
    assert "Paris" in answer.choices[0].text
    chunks = client.completions.create(
        model=model, prompt="The capital of France is", max_tokens=5, temperature=0, stream=True)
    assert "".join(c.choices[0].text for c in chunks if c.choices) == answer.choices[0].text
    two = client.completions.create(model=model, prompt=["One, two,", "A, B,"], max_tokens=3, temperature=0, n=2)
    assert [c.index for c in two.choices] == [0, 1, 2, 3]
    echo = client.completions.create(model=model, prompt="One, two,", max_tokens=2, temperature=0, echo=True)
    assert echo.choices[0].text.startswith("One, two,") and len(echo.choices[0].text) > len("One, two,")
    scored = client.completions.create(model=model, prompt="One, two,", max_tokens=2, temperature=0, logprobs=2)
    assert len(scored.choices[0].logprobs.token_logprobs) == 2
    assert all(value <= 0 for value in scored.choices[0].logprobs.token_logprobs)


def test_log_probabilities_of_a_prompt(client, model):
    """As evaluation harnesses ask: a question with each of its answers, scored and not gone on from."""
    def score(answer, **more):
        choice = client.completions.create(model=model, prompt="The capital of France is" + answer, temperature=0, logprobs=1,
                                           echo=True, **more).choices[0]
        told = choice.logprobs
        assert len(told.tokens) == len(told.token_logprobs) == len(told.top_logprobs) == len(told.text_offset)
        assert told.token_logprobs[0] is None and told.top_logprobs[0] is None and "".join(told.tokens) == choice.text
        assert told.text_offset == [sum(map(len, told.tokens[:i])) for i in range(len(told.tokens))]
        return choice, told.token_logprobs[1:]
    paris, scores = score(" Paris", max_tokens=0)
    assert paris.text == "The capital of France is Paris" and paris.finish_reason == "length"
    assert scores[-1] > score(" Oslo", max_tokens=0)[1][-1]
    assert scores[-1] == max(paris.logprobs.top_logprobs[-1].values())  # what the model would have said
    longer, more = score(" Paris", max_tokens=1)
    assert more[:-1] == scores and longer.text.startswith(paris.text)
    chunks = client.completions.create(model=model, prompt="The capital of France is Paris", max_tokens=1, temperature=0,
                                       logprobs=1, echo=True, stream=True)
    streamed = [c.choices[0] for c in chunks if c.choices]
    assert "".join(c.text for c in streamed) == longer.text
    assert [v for c in streamed if c.logprobs for v in c.logprobs.token_logprobs] == [None, *more]


# Embeddings


def test_embeddings(client, model):
    def vector(text, **more):
        return client.embeddings.create(model=model, input=text, **more).data[0].embedding
    near, far = vector("a small dog"), vector("interest rates of central banks")
    same = vector("a small dog")
    assert near == same and near != far
    assert abs(sum(x * x for x in near) - 1) < 1e-3
    both = client.embeddings.create(model=model, input=["a small dog", "한국어 문장"])
    assert both.data[0].embedding == near and len(both.data) == 2 and both.usage.prompt_tokens > 4
    raw = client.embeddings.create(model=model, input="a small dog", encoding_format="base64").data[0].embedding
    assert list(struct.unpack(f"<{len(near)}f", base64.b64decode(raw))) == pytest.approx(near, abs=1e-7)
    short = vector("a small dog", dimensions=16)
    assert len(short) == 16 and abs(sum(x * x for x in short) - 1) < 1e-3
    with pytest.raises(openai.BadRequestError) as error:
        vector("x", dimensions=100_000)
    assert error.value.param == "dimensions"


# Responses


def test_responses_with_state(client, model):
    first = client.responses.create(model=model, input="My name is Minsu. Say hello.", temperature=0, max_output_tokens=24)
    assert first.status in ("completed", "incomplete") and first.output_text
    second = client.responses.create(
        model=model, input="What is my name?", previous_response_id=first.id, temperature=0, max_output_tokens=24)
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens - 3
    assert client.responses.retrieve(first.id).output_text == first.output_text
    items = list(client.responses.input_items.list(first.id))
    assert items[0].content[0].text.startswith("My name is Minsu")
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)


def test_responses_stream(client, model):
    options = dict(model=model, input="Count to five.", temperature=0, max_output_tokens=24, store=False)
    whole = client.responses.create(**options)
    events = list(client.responses.create(stream=True, **options))
    kinds = [e.type for e in events]
    assert kinds[0] == "response.created" and kinds[-1] in ("response.completed", "response.incomplete")
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == whole.output_text
    assert events[-1].response.output_text == whole.output_text
    assert [e.sequence_number for e in events] == list(range(len(events)))


def test_a_stream_that_is_left_is_kept_as_cancelled(client, model):
    # At temperature 2 hardly any token is the last one: what is left is left in the middle, on the fastest machine too.
    stream = client.responses.create(model=model, input="Go on for ever.", temperature=2, max_output_tokens=4000,
                                     stream=True, store=True)
    ident = None
    for event in stream:
        if event.type == "response.created":
            ident = event.response.id
        if event.type == "response.output_text.delta":
            break
    stream.close()
    for _ in range(100):
        try:
            kept = client.responses.retrieve(ident)
            break
        except openai.NotFoundError:
            time.sleep(0.1)
    assert kept.status == "cancelled" and kept.output_text
    assert kept.output[-1].status == "incomplete"


def test_models_tell_their_context(client, model):
    told = client.models.retrieve(model).model_extra
    assert told["context_window"] == told["max_model_len"] > 1000


def test_responses_tools(client, model):
    tool = {"type": "function", "strict": False, **WEATHER["function"]}
    with pytest.raises(openai.BadRequestError, match="strict: false"):  # nothing keeps that promise yet, and it says so
        client.responses.create(model=model, input="Weather in Seoul?", tools=[{**tool, "strict": True}])
    response = client.responses.create(
        model=model, input="Weather in Seoul?", tools=[tool], tool_choice={"type": "function", "name": "get_weather"},
        temperature=0, max_output_tokens=64)
    call = [item for item in response.output if item.type == "function_call"][0]
    assert call.name == "get_weather" and call.call_id
    follow = client.responses.create(
        model=model, previous_response_id=response.id, tools=[tool], temperature=0, max_output_tokens=16,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]) \
        if response.status == "completed" else None
    assert follow is None or follow.output


# Files and batches


def test_files_and_batches(client, model, tmp_path):
    lines = [{"custom_id": f"line-{i}", "method": "POST", "url": "/v1/chat/completions",
              "body": {"model": model, "messages": QUESTION, "temperature": 0, "max_tokens": 8}} for i in range(6)]
    lines[3]["body"]["temperature"] = 99
    path = tmp_path / "jobs.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    with path.open("rb") as opened:
        uploaded = client.files.create(file=opened, purpose="batch")
    assert uploaded.bytes == path.stat().st_size and uploaded.filename == "jobs.jsonl"
    assert client.files.content(uploaded.id).read() == path.read_bytes()
    assert uploaded.id in [f.id for f in client.files.list()]
    batch = client.batches.create(
        input_file_id=uploaded.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"who": "test"})
    for _ in range(300):
        batch = client.batches.retrieve(batch.id)
        if batch.status in ("completed", "failed"):
            break
        time.sleep(0.2)
    assert batch.status == "completed", batch
    assert (batch.request_counts.completed, batch.request_counts.failed, batch.request_counts.total) == (5, 1, 6)
    done = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
    failed = [json.loads(line) for line in client.files.content(batch.error_file_id).text.splitlines()]
    assert {d["custom_id"] for d in done} == {f"line-{i}" for i in (0, 1, 2, 4, 5)}
    assert [f["custom_id"] for f in failed] == ["line-3"]
    alone = ask(client, model, max_tokens=8).choices[0].message.content
    assert all(d["response"]["body"]["choices"][0]["message"]["content"] == alone for d in done)
    client.files.delete(uploaded.id)
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(uploaded.id)


# Many at once


def test_many_at_once(client, model):
    def one(i):
        return ask(client, model, temperature=1, seed=i, max_tokens=12).choices[0].message.content
    alone = [one(i) for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == alone


def post(url, key, path, body):
    import urllib.request
    request = urllib.request.Request(
        url + path, json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_tokenize_and_back(url, key, model):
    text = "마당에 꽃이 피었다. A yard in bloom."
    ids = post(url, key, "/tokenize", {"model": model, "content": text})["tokens"]
    assert post(url, key, "/detokenize", {"model": model, "tokens": ids})["content"] == text
    prompt = post(url, key, "/apply-template", {"model": model, "messages": QUESTION})["prompt"]
    assert "capital of Korea" in prompt
