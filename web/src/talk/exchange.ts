// Conversations as files: JSON (whole tree, comes back by import) and Markdown (the shown branch, for people). Import
// takes what export gave; anything else is refused with the place at fault.
import { branch, newId, noSettings, type Conversation, type Message, type Settings } from './conversation.ts';

const format = 'madang-conversations';

export function toJson(talks: Conversation[]): string {
  return JSON.stringify({ format, version: 1, conversations: talks }, null, 2);
}

/** `names`: what the roles are called in the reader's language. */
export function toMarkdown(talk: Conversation, names: Record<Message['role'] | 'system', string>): string {
  const parts = [`# ${talk.title}`];
  if (talk.settings.system) parts.push(`## ${names.system}`, talk.settings.system);
  for (const message of branch(talk)) {
    parts.push(`## ${names[message.role]}${message.model ? ` (${message.model})` : ''}`);
    if (message.reasoning) parts.push(message.reasoning.replace(/^/gm, '> '));
    if (message.content) parts.push(message.content);
    for (const call of message.toolCalls ?? []) parts.push(fence(`${call.name}(${call.arguments})`));
  }
  return `${parts.join('\n\n')}\n`;
}

/** A code block whose fence is longer than any inside. */
function fence(text: string): string {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), (run) => run[0].length));
  const ticks = '`'.repeat(longest + 1);
  return `${ticks}\n${text}\n${ticks}`;
}

export class ImportError extends Error {}

export function fromJson(text: string): Conversation[] {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    throw new ImportError('JSON');
  }
  if (!isObject(root) || root.format !== format) throw new ImportError(`format: ${format}`);
  if (!Array.isArray(root.conversations)) throw new ImportError('conversations');
  return root.conversations.map((talk, at) => readConversation(talk, `conversations[${at}]`));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number | undefined => (Number.isFinite(value) ? (value as number) : undefined);

function readConversation(value: unknown, where: string): Conversation {
  if (!isObject(value)) throw new ImportError(where);
  if (!Array.isArray(value.messages)) throw new ImportError(`${where}.messages`);
  const messages = value.messages.map((message, at) => readMessage(message, `${where}.messages[${at}]`));
  const known = new Set<string>(['']);
  for (const [at, message] of messages.entries()) {
    // A parent that comes first: so there is no cycle, and every message is reachable.
    if (!known.has(message.parent)) throw new ImportError(`${where}.messages[${at}].parent`);
    known.add(message.id);
  }
  const chosen = isObject(value.chosen) ? Object.entries(value.chosen).map(([key, id]) => [key, text(id)]) : [];
  const now = Date.now();
  return {
    id: text(value.id) || newId(),
    title: text(value.title),
    created: number(value.created) ?? now,
    updated: number(value.updated) ?? now,
    model: text(value.model),
    settings: readSettings(value.settings),
    messages,
    chosen: Object.fromEntries(chosen),
  };
}

function readMessage(value: unknown, where: string): Message {
  if (!isObject(value)) throw new ImportError(where);
  const { role } = value;
  if (role !== 'user' && role !== 'assistant' && role !== 'tool') throw new ImportError(`${where}.role`);
  if (typeof value.id !== 'string' || !value.id) throw new ImportError(`${where}.id`);
  if (typeof value.content !== 'string') throw new ImportError(`${where}.content`);
  const message: Message = {
    id: value.id,
    parent: text(value.parent),
    role,
    content: value.content,
    at: number(value.at) ?? Date.now(),
    ending: text(value.ending) || 'stop',
  };
  for (const key of ['reasoning', 'toolCallId', 'model', 'error'] as const) {
    if (typeof value[key] === 'string') message[key] = value[key];
  }
  if (Array.isArray(value.toolCalls)) {
    message.toolCalls = value.toolCalls.filter(isObject).map((call) => {
      return { id: text(call.id), name: text(call.name), arguments: text(call.arguments) };
    });
  }
  if (isObject(value.figures)) {
    const { prompt, completion, perSecond } = value.figures;
    message.figures = { prompt: number(prompt) ?? 0, completion: number(completion) ?? 0 };
    if (number(perSecond)) message.figures.perSecond = number(perSecond);
  }
  return message;
}

export function readSettings(value: unknown): Settings {
  if (!isObject(value)) return { ...noSettings };
  const settings: Settings = { system: text(value.system), stop: [], tools: text(value.tools) };
  if (Array.isArray(value.stop)) settings.stop = value.stop.filter((item) => typeof item === 'string');
  for (const key of ['temperature', 'top_p', 'top_k', 'min_p', 'max_tokens', 'seed'] as const) {
    const found = number(value[key]);
    if (found !== undefined) settings[key] = found;
  }
  return settings;
}
