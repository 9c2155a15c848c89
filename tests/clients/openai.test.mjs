// OpenAI's Node client against madang. Run by tests/clients/run (node --test).
import assert from "node:assert/strict";
import test from "node:test";
import OpenAI from "openai";

const model = process.env.MADANG_MODEL;
const client = new OpenAI({ baseURL: process.env.MADANG_URL + "/v1", apiKey: process.env.MADANG_KEY, maxRetries: 0 });
const messages = [{ role: "user", content: "What is the capital of Korea? Answer in one sentence." }];
const chat = { model, messages, temperature: 0, max_tokens: 24 };

test("chat, streamed and whole, is the same", async () => {
  const whole = await client.chat.completions.create(chat);
  assert.match(whole.choices[0].message.content, /Seoul/);
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...chat, stream: true }))
    text += chunk.choices[0]?.delta?.content ?? "";
  assert.equal(text, whole.choices[0].message.content);
});

test("the helper that gathers a stream", async () => {
  const final = await client.chat.completions.stream(chat).finalChatCompletion();
  assert.match(final.choices[0].message.content, /Seoul/);
});

test("a stream that is broken off, then another", async () => {
  const stream = await client.chat.completions.create({ ...chat, max_tokens: 400, temperature: 1, stream: true });
  for await (const _ of stream) break;
  const after = await client.chat.completions.create(chat);
  assert.ok(after.choices[0].message.content);
});

test("tools", async () => {
  const tools = [{ type: "function", function: { name: "get_weather", description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } } } } }];
  const answer = await client.chat.completions.create({ ...chat, max_tokens: 64, tools,
    tool_choice: { type: "function", function: { name: "get_weather" } } });
  assert.equal(answer.choices[0].message.tool_calls[0].function.name, "get_weather");
});

test("responses with state", async () => {
  const first = await client.responses.create({ model, input: "Say hello.", temperature: 0, max_output_tokens: 16 });
  const second = await client.responses.create({ model, input: "Again.", previous_response_id: first.id,
    temperature: 0, max_output_tokens: 16 });
  assert.equal(second.previous_response_id, first.id);
  const kinds = [];
  for await (const event of await client.responses.create({ model, input: "Hi", stream: true, temperature: 0,
    max_output_tokens: 8, store: false })) kinds.push(event.type);
  assert.equal(kinds[0], "response.created");
});

test("embeddings", async () => {
  const answer = await client.embeddings.create({ model, input: ["one", "둘"] });
  assert.equal(answer.data.length, 2);
  assert.ok(Math.abs(answer.data[0].embedding.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-3);
});

test("errors name the field", async () => {
  await assert.rejects(client.chat.completions.create({ ...chat, temperature: 9 }), (error) => {
    assert.equal(error.status, 400);
    assert.equal(error.param, "temperature");
    return true;
  });
});
