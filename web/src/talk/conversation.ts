// A conversation is a tree of messages: editing a question or asking again adds a branch and loses nothing. Pure
// functions over plain data; a change gives a new conversation. Knows nothing of the screen, the server or storage.

export interface ToolCall {
  id: string;
  name: string;
  arguments: string; // JSON as the model wrote it, whole or not
}

export interface Figures {
  prompt: number; // tokens in
  completion: number; // tokens out
  perSecond?: number; // tokens out per second
}

/** How an answer ended: `stopped` by the reader, `cut` when the page or the server went away. */
export type Ending = 'stop' | 'length' | 'tool_calls' | 'stopped' | 'cut' | 'error' | (string & {});

export interface Message {
  id: string;
  parent: string; // id of what it follows; '' at the start
  role: 'user' | 'assistant' | 'tool';
  content: string;
  at: number; // milliseconds since 1970
  reasoning?: string;
  toolCalls?: ToolCall[];
  toolCallId?: string; // of a tool's result
  model?: string;
  ending?: Ending; // absent while it is being written
  error?: string;
  figures?: Figures;
}

export interface Settings {
  system: string;
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  max_tokens?: number;
  seed?: number;
  stop: string[];
  tools: string; // JSON text of the tools array, or ''
}

export interface Conversation {
  id: string;
  title: string; // '' until the first message
  created: number;
  updated: number;
  model: string;
  settings: Settings;
  messages: Message[]; // in the order written
  chosen: Record<string, string>; // which child of a message is shown, by the parent's id
}

export const noSettings: Settings = { system: '', stop: [], tools: '' };

/** 96 random bits. Not crypto.randomUUID: that one needs https, and a server at home may have none. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function newConversation(model: string, settings: Settings): Conversation {
  const now = Date.now();
  return { id: newId(), title: '', created: now, updated: now, model, settings, messages: [], chosen: {} };
}

/** Adds a message and shows it. */
export function append(talk: Conversation, message: Message): Conversation {
  const title = talk.title || (message.role === 'user' ? titleOf(message.content) : '');
  const chosen = { ...talk.chosen, [message.parent]: message.id };
  return { ...talk, title, updated: Date.now(), messages: [...talk.messages, message], chosen };
}

export function patch(talk: Conversation, id: string, change: Partial<Message>): Conversation {
  const messages = talk.messages.map((message) => (message.id === id ? { ...message, ...change } : message));
  return { ...talk, updated: Date.now(), messages };
}

export function choose(talk: Conversation, message: Message): Conversation {
  return { ...talk, chosen: { ...talk.chosen, [message.parent]: message.id } };
}

export function siblings(talk: Conversation, message: Message): Message[] {
  return talk.messages.filter((other) => other.parent === message.parent && other.role === message.role);
}

/** The shown branch, first to last. */
export function branch(talk: Conversation): Message[] {
  const path: Message[] = [];
  const last = new Map(talk.messages.map((message) => [message.parent, message]));
  const byId = new Map(talk.messages.map((message) => [message.id, message]));
  for (let at = ''; path.length <= talk.messages.length; ) {
    const next = byId.get(talk.chosen[at] ?? '') ?? last.get(at);
    if (!next) break;
    path.push(next);
    at = next.id;
  }
  return path;
}

/** The messages from the start down to `id`, whatever is shown. */
export function pathTo(talk: Conversation, id: string): Message[] {
  const byId = new Map(talk.messages.map((message) => [message.id, message]));
  const path: Message[] = [];
  for (let at = byId.get(id); at && path.length <= talk.messages.length; at = byId.get(at.parent)) path.unshift(at);
  return path;
}

/** First line of the first question, at most 60 characters and never half of one. */
export function titleOf(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  const letters = Array.from(new Intl.Segmenter().segment(line), (part) => part.segment);
  return letters.length > 60 ? `${letters.slice(0, 59).join('')}…` : line;
}

/** Tool calls of the last shown answer that have no result yet. */
export function openCalls(path: Message[]): ToolCall[] {
  const at = path.findLastIndex((message) => message.role === 'assistant');
  const calls = path[at]?.toolCalls ?? [];
  const answered = new Set(path.slice(at + 1).map((message) => message.toolCallId));
  if (path.slice(at + 1).some((message) => message.role === 'user')) return [];
  return calls.filter((call) => !answered.has(call.id));
}
