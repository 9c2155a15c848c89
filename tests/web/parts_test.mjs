// The parts without a screen: event streams over every border, trees of messages, files that come back as they went.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const web = new URL('../../web/', import.meta.url);
const { build } = createRequire(new URL('build.mjs', web))('esbuild');

async function load(name) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`src/talk/${name}.ts`, web))], bundle: true, write: false, format: 'esm', logLevel: 'error',
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}
const { eventData } = await load('stream');
const { Answer } = await load('answer');
const tree = await load('conversation');
const exchange = await load('exchange');

async function read(pieces) {
  const body = new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  const found = [];
  for await (const data of eventData(body)) found.push(data);
  return found;
}

test('events are the same whatever the borders of the chunks', async () => {
  for (const end of ['\n', '\r\n', '\r']) {
    const lines = [': hello', 'data: {"a":"한글 🏠"}', '', 'event: x', 'data:one', 'data:  two', '', 'id: 7', '', 'data: [DONE]', '', ''];
    const bytes = new TextEncoder().encode(lines.join(end));
    const wanted = ['{"a":"한글 🏠"}', 'one\n two', '[DONE]'];
    // A lone carriage return at the very end may be half of a line end: the last event then never completes.
    if (end === '\r') wanted.pop();
    for (let cut = 0; cut <= bytes.length; ++cut) {
      assert.deepEqual(await read([bytes.slice(0, cut), bytes.slice(cut)]), wanted, `${JSON.stringify(end)} at ${cut}`);
    }
    assert.deepEqual(await read(Array.from(bytes, (byte) => Uint8Array.of(byte))), wanted);
  }
});

test('an answer is put together from its steps', () => {
  const answer = new Answer();
  answer.add({ reasoning: 'hm' }, 1000);
  answer.add({ content: '안녕' }, 1500);
  answer.add({ calls: [{ index: 1, id: 'b', name: 'g', arguments: '{' }] }, 1600);
  answer.add({ calls: [{ index: 0, id: 'a', name: 'f', arguments: '{}' }, { index: 1, arguments: '}' }] }, 2000);
  answer.add({ finish: 'tool_calls', usage: { prompt: 5, completion: 11 } }, 9000);
  assert.deepEqual(answer.end(undefined, false), {
    content: '안녕', reasoning: 'hm', ending: 'tool_calls',
    toolCalls: [{ id: 'a', name: 'f', arguments: '{}' }, { id: 'b', name: 'g', arguments: '{}' }],
    figures: { prompt: 5, completion: 11, perSecond: 10 },
  });
});

const seed = Number(process.env.MADANG_SEED ?? 7);
function random(state) {
  return (below) => (state = (state * 48271) % 2147483647) % below;
}

test(`a conversation loses nothing to branches (seed ${seed})`, () => {
  const pick = random(seed);
  let talk = tree.newConversation('m', tree.noSettings);
  for (let step = 0; step < 300; ++step) {
    const from = talk.messages.length && pick(4) ? talk.messages[pick(talk.messages.length)].id : '';
    const role = pick(2) ? 'user' : 'assistant';
    talk = tree.append(talk, { id: tree.newId(), parent: from, role, content: `${step}`, at: 0, ending: 'stop' });
    assert.equal(talk.messages.length, step + 1);
    const path = tree.branch(talk);
    for (const [at, message] of path.entries()) assert.equal(message.parent, path[at - 1]?.id ?? '');
    // Any message can be shown again by choosing its way there.
    const wanted = talk.messages[pick(talk.messages.length)];
    for (const message of tree.pathTo(talk, wanted.id)) talk = tree.choose(talk, message);
    assert.ok(tree.branch(talk).some(({ id }) => id === wanted.id));
  }
  assert.deepEqual(exchange.fromJson(exchange.toJson([talk])), [talk]);
});

test('files that are no export are refused with their place', () => {
  const talk = (messages) => JSON.stringify({ format: 'madang-conversations', conversations: [{ messages }] });
  const message = { id: 'a', parent: '', role: 'user', content: 'x' };
  const refused = {
    '{': 'JSON',
    '[]': 'format: madang-conversations',
    [talk([{ ...message, parent: 'a' }])]: 'conversations[0].messages[0].parent',
    [talk([{ ...message, content: 1 }])]: 'conversations[0].messages[0].content',
    [talk([null])]: 'conversations[0].messages[0]',
  };
  for (const [text, where] of Object.entries(refused)) assert.throws(() => exchange.fromJson(text), { message: where });
  assert.equal(exchange.fromJson(talk([message]))[0].messages[0].content, 'x');
});

test('titles cut between syllables, not inside them', () => {
  assert.equal(tree.titleOf('  한 줄\n둘째 줄'), '한 줄');
  const title = tree.titleOf('한'.normalize('NFD').repeat(80));
  assert.equal(title, `${'한'.normalize('NFD').repeat(59)}…`);
});
