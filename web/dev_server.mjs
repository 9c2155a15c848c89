// A stand-in for `madang serve`, for work on the page and for its tests: node dev_server.mjs DIST [PORT].
// Serves DIST with the policy of src/serve/page.h and answers the few calls the page makes. What the "model" says is
// told by the question: "say: TEXT" gives TEXT, "think: TEXT" reasoning first, "call" a tool call, "slow" a hundred
// words without hurry, anything else a fixed answer. With --key=K every API call needs that key.
import { createServer } from 'node:http';
import { readFileSync, statSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';

const header = readFileSync(new URL('../src/serve/page.h', import.meta.url), 'utf8');
const policy = Array.from(/page_policy =([^;]*(?:"[^"]*"[^;]*)*);\n/.exec(header)[1].matchAll(/"([^"]*)"/g), (m) => m[1]).join('');
const types = {
  '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const description = {
  openapi: '3.1.0',
  info: { title: 'madang', version: 'dev', description: 'The API of a stand-in.' },
  tags: [{ name: 'Chat', description: 'Conversations.' }],
  paths: {
    '/v1/models': { get: { tags: ['Models'], summary: 'List models', responses: { 200: { description: 'The models' } } } },
    '/v1/chat/completions': {
      post: {
        tags: ['Chat'], summary: 'Answer a conversation', description: 'Streams with `stream: true`.',
        requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Chat' } } } },
        responses: { 200: { description: 'The answer' }, 400: { description: 'A field is wrong' } },
      },
    },
  },
  components: {
    schemas: {
      Chat: {
        type: 'object', required: ['model', 'messages'],
        properties: {
          model: { type: 'string', description: 'Which model', example: 'madang-test' },
          messages: { type: 'array', items: { $ref: '#/components/schemas/Message' } },
          temperature: { type: 'number', minimum: 0, maximum: 2, default: 1 },
        },
      },
      Message: {
        type: 'object', required: ['role', 'content'],
        properties: {
          role: { type: 'string', enum: ['user', 'assistant', 'system', 'tool'] },
          content: { type: 'string', example: 'Hello' },
          replies: { type: 'array', items: { $ref: '#/components/schemas/Message' } },
        },
      },
    },
  },
};

function deltas(messages) {
  const last = messages.at(-1);
  const text = typeof last.content === 'string' ? last.content : '';
  const words = (said) => (said.match(/[^]{1,9}/gu) ?? []).map((content) => ({ content }));
  if (last.role === 'tool') return words(`The tool said: ${text}`);
  if (text.startsWith('say: ')) return words(text.slice(5));
  if (text.startsWith('think: ')) return [{ reasoning_content: text.slice(7) }, ...words('Thought through.')];
  if (text === 'call') {
    const call = { index: 0, id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":' } };
    return [{ tool_calls: [call] }, { tool_calls: [{ index: 0, function: { arguments: '"Seoul"}' } }] }];
  }
  if (text === 'slow') return Array.from({ length: 100 }, (_, at) => ({ content: `word${at} ` }));
  return words(`You said “${text}”. That was message ${messages.length}.`);
}

async function answer(body, response) {
  const request = JSON.parse(body);
  const last = request.messages.at(-1).content;
  if (last === 'refuse') {
    response.writeHead(400, { 'Content-Type': 'application/json' });
    return response.end(JSON.stringify({ error: { message: 'The prompt does not fit.', param: 'messages' } }));
  }
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const send = (part) => response.write(`data: ${typeof part === 'string' ? part : JSON.stringify(part)}\n\n`);
  const steps = deltas(request.messages);
  for (const delta of steps) {
    if (response.destroyed) return undefined;
    send({ choices: [{ index: 0, delta, finish_reason: null }] });
    await pause(last === 'slow' ? 60 : 4);
  }
  send({ choices: [{ index: 0, delta: {}, finish_reason: steps[0]?.tool_calls ? 'tool_calls' : 'stop' }] });
  const usage = { prompt_tokens: 24 * request.messages.length, completion_tokens: steps.length };
  send({ choices: [], usage, timings: { predicted_per_second: 64.6 } });
  send('[DONE]');
  return response.end();
}

function api(path, key, request) {
  if (path !== '/status' && path !== '/openapi.json' && !path.startsWith('/v1/')) return undefined;
  if (key && request.headers.authorization !== `Bearer ${key}`) return [401, { error: { message: 'No such key.' } }];
  if (path === '/v1/models') {
    const ids = ['madang-test', 'smollm2-135m-instruct'];
    return [200, { object: 'list', data: ids.map((id) => ({ id, object: 'model', context_window: 8192 })) }];
  }
  if (path === '/openapi.json') return [200, description];
  if (path !== '/status') return undefined;
  return [200, {
    version: 'dev',
    models: [
      { id: 'madang-test', loaded: true, bytes: 98400000, context: 8192, running: 1, waiting: 0 },
      { id: 'smollm2-135m-instruct', loaded: false, bytes: 0, context: 8192, running: 0, waiting: 0 },
    ],
    requests: { active: 1, total: 42 },
    cache: { bytes: 12000000, hits: 17, tokens_reused: 5120 },
    uptime_seconds: process.uptime(),
  }];
}

function serveFile(dist, path, response) {
  const name = path === '/' ? '/index.html' : path === '/docs' ? '/docs.html' : path;
  const file = join(dist, normalize(name));
  if (!file.startsWith(normalize(dist)) || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
    response.writeHead(404);
    return response.end();
  }
  response.writeHead(200, {
    'Content-Type': types[extname(file)], 'Content-Security-Policy': policy, 'Cache-Control': 'no-cache',
    'X-Content-Type-Options': 'nosniff',
  });
  return response.end(readFileSync(file));
}

/** Starts it; resolves to the listening server. */
export function serve(dist, port = 0, key = '') {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname;
    const found = api(path, key, request);
    if (found) {
      response.writeHead(found[0], { 'Content-Type': 'application/json' });
      return response.end(JSON.stringify(found[1]));
    }
    if (request.method !== 'POST') return serveFile(dist, path, response);
    let body = '';
    for await (const chunk of request) body += chunk;
    return answer(body, response);
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const key = process.argv.find((word) => word.startsWith('--key='))?.slice(6) ?? '';
  const server = await serve(process.argv[2] ?? 'dist', Number(process.argv[3] ?? 8099), key);
  console.log(`http://127.0.0.1:${server.address().port}/`);
}
