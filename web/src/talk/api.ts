// The server's API as the page uses it, all on the page's own origin. Every failure is an ApiError with the server's
// own words; status 0 is a server that cannot be reached.
import type { Message, Settings } from './conversation.ts';
import { eventData } from './stream.ts';

export interface Model {
  id: string;
  context_window?: number;
}

export interface Status {
  version: string;
  models: { id: string; loaded: boolean; bytes: number; context: number; running: number; waiting: number }[];
  requests: { active: number; total: number };
  cache: { bytes: number; hits: number; tokens_reused: number };
  uptime_seconds: number;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly param?: string,
  ) {
    super(message);
  }
}

/** One step of an answer: whatever of it came. */
export interface Step {
  content?: string;
  reasoning?: string;
  calls?: { index: number; id?: string; name?: string; arguments?: string }[];
  finish?: string;
  usage?: { prompt: number; completion: number };
  perSecond?: number;
}

export class Api {
  key = ''; // sent as a bearer token when not empty

  async models(): Promise<Model[]> {
    const list = await this.get<{ data?: Model[] }>('/v1/models');
    return list.data ?? [];
  }

  status(signal?: AbortSignal): Promise<Status> {
    return this.get<Status>('/status', signal);
  }

  async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    const response = await this.ask(path, { signal });
    return (await response.json()) as T;
  }

  /** Streams one answer. Ends after [DONE]; a stream that breaks off before is an ApiError. */
  async *answer(request: object, signal: AbortSignal): AsyncGenerator<Step> {
    const body = JSON.stringify(request);
    const response = await this.ask('/v1/chat/completions', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
      signal,
    });
    if (!response.body) throw new ApiError(response.status, 'no body');
    for await (const data of eventData(response.body)) {
      if (data === '[DONE]') return;
      yield readStep(data);
    }
    throw new ApiError(0, '');
  }

  private async ask(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.key) headers.set('Authorization', `Bearer ${this.key}`);
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new ApiError(0, '');
    }
    if (!response.ok) throw await readError(response);
    return response;
  }
}

async function readError(response: Response): Promise<ApiError> {
  const body = await response.text().catch(() => '');
  try {
    const { error } = JSON.parse(body) as { error: { message?: string; param?: string } };
    return new ApiError(response.status, error.message ?? response.statusText, error.param ?? undefined);
  } catch {
    return new ApiError(response.status, body.slice(0, 300) || response.statusText);
  }
}

interface Chunk {
  error?: { message?: string };
  choices?: {
    delta?: {
      content?: string | null;
      reasoning_content?: string | null;
      tool_calls?: { index: number; id?: string; function?: { name?: string; arguments?: string } }[];
    };
    finish_reason?: string | null;
  }[];
  usage?: { prompt_tokens: number; completion_tokens: number } | null;
  timings?: { predicted_per_second?: number };
}

function readStep(data: string): Step {
  let chunk: Chunk;
  try {
    chunk = JSON.parse(data) as Chunk;
  } catch {
    throw new ApiError(0, `not JSON: ${data.slice(0, 100)}`);
  }
  if (chunk.error) throw new ApiError(200, chunk.error.message ?? '');
  const choice = chunk.choices?.[0];
  const step: Step = {};
  if (choice?.delta?.content) step.content = choice.delta.content;
  if (choice?.delta?.reasoning_content) step.reasoning = choice.delta.reasoning_content;
  if (choice?.finish_reason) step.finish = choice.finish_reason;
  step.calls = choice?.delta?.tool_calls?.map((call) => {
    return { index: call.index, id: call.id, name: call.function?.name, arguments: call.function?.arguments };
  });
  if (chunk.usage) step.usage = { prompt: chunk.usage.prompt_tokens, completion: chunk.usage.completion_tokens };
  if (chunk.timings?.predicted_per_second) step.perSecond = chunk.timings.predicted_per_second;
  return step;
}

/** The request for an answer to `path`. Settings left empty are not sent: the model's own defaults hold. */
export function toRequest(model: string, settings: Settings, path: Message[]): object {
  const messages: object[] = settings.system ? [{ role: 'system', content: settings.system }] : [];
  for (const message of path) messages.push(toApi(message));
  const request: Record<string, unknown> = {
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
  };
  for (const key of ['temperature', 'top_p', 'top_k', 'min_p', 'max_tokens', 'seed'] as const) {
    if (settings[key] !== undefined) request[key] = settings[key];
  }
  if (settings.stop.length) request.stop = settings.stop;
  if (settings.tools) request.tools = JSON.parse(settings.tools) as unknown;
  return request;
}

function toApi(message: Message): object {
  if (message.role === 'tool') return { role: 'tool', tool_call_id: message.toolCallId, content: message.content };
  if (!message.toolCalls?.length) return { role: message.role, content: message.content };
  const calls = message.toolCalls.map((call) => {
    return { id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } };
  });
  return { role: 'assistant', content: message.content || null, tool_calls: calls };
}
