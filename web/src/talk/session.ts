// The state of the page and all that can be done to it. The screen subscribes and shows; it changes nothing itself.
// One answer at a time per conversation; answers go on when another conversation is looked at.
import { Answer } from './answer.ts';
import { Api, ApiError, toRequest, type Model } from './api.ts';
import * as tree from './conversation.ts';
import type { Conversation, Message, Settings } from './conversation.ts';
import { readSettings } from './exchange.ts';
import * as storage from './storage.ts';

/** Screen updates while an answer streams: 20 a second look continuous and leave a phone time for everything else. */
const showEvery = 50;
/** A page that dies loses at most this many milliseconds of an answer. */
const saveEvery = 1000;

export type ServerState = 'asking' | 'ready' | 'unreachable' | 'locked';

export interface State {
  loaded: boolean;
  talks: ReadonlyMap<string, Conversation>;
  running: ReadonlySet<string>; // ids of conversations being answered
  models: Model[];
  model: string; // the one new conversations get
  server: ServerState;
  kept: boolean; // false where the browser forbids storage
}

export interface Finished {
  talk: Conversation;
  message: Message;
}

export class Session {
  state: State = {
    loaded: false,
    talks: new Map(),
    running: new Set(),
    models: [],
    model: '',
    server: 'asking',
    kept: true,
  };
  onFinished: (finished: Finished) => void = () => undefined;
  private readonly listeners = new Set<() => void>();
  private readonly stops = new Map<string, AbortController>();
  private readonly others = new BroadcastChannel('madang');

  constructor(readonly api: Api) {
    api.key = storage.kept('key');
    this.others.onmessage = (event: MessageEvent<string>) => void this.reload(event.data);
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async start(): Promise<void> {
    await Promise.all([this.loadTalks(), this.loadModels()]);
  }

  /** What new conversations begin with. */
  get defaults(): Settings {
    try {
      return readSettings(JSON.parse(storage.kept('settings') || '{}'));
    } catch {
      return { ...tree.noSettings };
    }
  }

  set defaults(settings: Settings) {
    storage.keep('settings', JSON.stringify(settings));
  }

  setKey(key: string): Promise<void> {
    this.api.key = key.trim();
    storage.keep('key', this.api.key);
    return this.loadModels();
  }

  async loadModels(): Promise<void> {
    try {
      const models = await this.api.models();
      const wanted = this.state.model || storage.kept('model');
      const model = models.find(({ id }) => id === wanted)?.id ?? models[0]?.id ?? '';
      this.change({ models, model, server: 'ready' });
    } catch (error) {
      const locked = error instanceof ApiError && error.status === 401;
      this.change({ server: locked ? 'locked' : 'unreachable' });
    }
  }

  // Conversations

  create(settings = this.defaults): Conversation {
    const talk = tree.newConversation(this.state.model, settings);
    this.put(talk);
    return talk;
  }

  rename(id: string, title: string): void {
    this.edit(id, (talk) => ({ ...talk, title }));
    this.save(id);
  }

  setModel(id: string | undefined, model: string): void {
    storage.keep('model', model);
    this.change({ model });
    if (!id) return;
    this.edit(id, (talk) => ({ ...talk, model }));
    this.save(id);
  }

  setSettings(id: string, settings: Settings): void {
    this.edit(id, (talk) => ({ ...talk, settings }));
    this.save(id);
  }

  choose(id: string, message: Message): void {
    this.edit(id, (talk) => tree.choose(talk, message));
    this.save(id);
  }

  async remove(id: string): Promise<void> {
    this.stop(id);
    const talks = new Map(this.state.talks);
    talks.delete(id);
    this.change({ talks });
    await storage.remove(id).catch(() => undefined);
    this.others.postMessage(id);
  }

  /** Takes conversations in; one that is here already, unchanged, is passed over. Returns how many came. */
  take(talks: Conversation[]): number {
    let taken = 0;
    for (const talk of talks) {
      const here = this.state.talks.get(talk.id);
      if (here?.updated === talk.updated) continue;
      const id = here ? tree.newId() : talk.id;
      this.put({ ...talk, id });
      this.save(id);
      ++taken;
    }
    return taken;
  }

  // Talking

  /** Says something after `parent` ('' at the start: a new first message) and has it answered. */
  say(id: string, parent: string, content: string): Promise<void> {
    return this.answer(id, this.add(id, { parent, role: 'user', content }).id);
  }

  /** Gives the results of tool calls, by call id, and has them answered. */
  giveResults(id: string, parent: string, results: [string, string][]): Promise<void> {
    let at = parent;
    for (const [toolCallId, content] of results) at = this.add(id, { parent: at, role: 'tool', content, toolCallId }).id;
    return this.answer(id, at);
  }

  /** Another answer beside this one. */
  again(id: string, message: Message): Promise<void> {
    return this.answer(id, message.parent);
  }

  stop(id: string): void {
    this.stops.get(id)?.abort();
  }

  private add(id: string, message: Omit<Message, 'id' | 'at'>): Message {
    const whole: Message = { ending: 'stop', ...message, id: tree.newId(), at: Date.now() };
    this.edit(id, (talk) => tree.append(talk, whole));
    return whole;
  }

  private async answer(id: string, parent: string): Promise<void> {
    const talk = this.state.talks.get(id);
    if (!talk || this.stops.has(id)) return;
    const model = this.state.models.some((known) => known.id === talk.model) ? talk.model : this.state.model;
    const message = this.add(id, { parent, role: 'assistant', content: '', model, ending: undefined });
    const stop = new AbortController();
    this.stops.set(id, stop);
    this.change({ running: new Set(this.stops.keys()) });
    this.save(id);
    const answer = new Answer();
    let failure: unknown;
    try {
      await this.follow(id, message, answer, toRequest(model, talk.settings, tree.pathTo(talk, parent)), stop.signal);
    } catch (error) {
      failure = error;
    }
    this.stops.delete(id);
    this.edit(id, (now) => tree.patch(now, message.id, answer.end(failure, stop.signal.aborted)));
    this.change({ running: new Set(this.stops.keys()) });
    this.save(id);
    if (failure instanceof ApiError && failure.status === 401) this.change({ server: 'locked' });
    const after = this.state.talks.get(id);
    const written = after?.messages.find((other) => other.id === message.id);
    if (after && written) this.onFinished({ talk: after, message: written });
  }

  /** Reads the stream to its end, showing and saving at their paces. */
  private async follow(id: string, message: Message, answer: Answer, request: object, signal: AbortSignal) {
    let shown = 0;
    let saved = performance.now();
    let timer = 0;
    const show = () => {
      timer = 0;
      shown = performance.now();
      this.edit(id, (talk) => tree.patch(talk, message.id, answer.soFar()));
      if (shown - saved < saveEvery) return;
      saved = shown;
      this.save(id);
    };
    try {
      for await (const step of this.api.answer(request, signal)) {
        answer.add(step, performance.now());
        timer ||= window.setTimeout(show, Math.max(0, shown + showEvery - performance.now()));
      }
    } finally {
      window.clearTimeout(timer);
    }
  }

  // Keeping

  private change(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }

  private put(talk: Conversation): void {
    this.change({ talks: new Map(this.state.talks).set(talk.id, talk) });
  }

  private edit(id: string, act: (talk: Conversation) => Conversation): void {
    const talk = this.state.talks.get(id);
    if (talk) this.put(act(talk));
  }

  private save(id: string): void {
    const talk = this.state.talks.get(id);
    // A conversation nobody has said anything in is not kept.
    if (!talk?.messages.length) return;
    storage.save(talk).then(
      () => this.others.postMessage(id),
      () => this.change({ kept: false }),
    );
  }

  private async loadTalks(): Promise<void> {
    try {
      const talks = new Map((await storage.loadAll()).map((talk) => [talk.id, closeCut(talk)]));
      for (const [id, talk] of this.state.talks) talks.set(id, talk);
      this.change({ talks, loaded: true });
    } catch {
      this.change({ loaded: true, kept: false });
    }
  }

  /** Another window changed this conversation. */
  private async reload(id: string): Promise<void> {
    if (this.stops.has(id)) return;
    const talk = await storage.load(id).catch(() => undefined);
    if (talk) return this.put(talk);
    const talks = new Map(this.state.talks);
    if (talks.delete(id)) this.change({ talks });
  }
}

/** An answer without an ending, found when the page starts, was cut off by its going away. */
function closeCut(talk: Conversation): Conversation {
  const messages = talk.messages.map((message) => {
    return message.role === 'assistant' && !message.ending ? { ...message, ending: 'cut' } : message;
  });
  return { ...talk, messages };
}
