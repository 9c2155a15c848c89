// One answer being written: collects the steps of a stream into a message and measures its speed.
import { ApiError, type Step } from './api.ts';
import type { Ending, Message, ToolCall } from './conversation.ts';

export class Answer {
  private content = '';
  private reasoning = '';
  private calls: ToolCall[] = [];
  private finish: Ending = '';
  private usage?: { prompt: number; completion: number };
  private perSecond?: number;
  private first = 0;
  private last = 0;

  /** `now` in milliseconds of any clock that does not jump. */
  add(step: Step, now: number): void {
    if (step.content || step.reasoning || step.calls) {
      this.first ||= now;
      this.last = now;
    }
    this.content += step.content ?? '';
    this.reasoning += step.reasoning ?? '';
    for (const piece of step.calls ?? []) {
      const call = (this.calls[piece.index] ??= { id: '', name: '', arguments: '' });
      call.id ||= piece.id ?? '';
      call.name += piece.name ?? '';
      call.arguments += piece.arguments ?? '';
    }
    if (step.finish) this.finish = step.finish;
    if (step.usage) this.usage = step.usage;
    if (step.perSecond) this.perSecond = step.perSecond;
  }

  /** What there is so far, as a change of the message. */
  soFar(): Partial<Message> {
    const change: Partial<Message> = { content: this.content };
    if (this.reasoning) change.reasoning = this.reasoning;
    const calls = this.calls.filter(Boolean);
    if (calls.length) change.toolCalls = calls;
    return change;
  }

  /** The whole of it; `failure` is what broke the stream, if something did. */
  end(failure: unknown, stopped: boolean): Partial<Message> {
    const change = { ...this.soFar(), ...this.figures() };
    if (stopped) return { ...change, ending: 'stopped' };
    if (!failure) return { ...change, ending: this.finish || 'stop' };
    const broken = failure instanceof ApiError && failure.status === 0 && !failure.message;
    if (broken) return { ...change, ending: 'cut' };
    return { ...change, ending: 'error', error: failure instanceof Error ? failure.message : String(failure) };
  }

  private figures(): Partial<Message> {
    if (!this.usage) return {};
    const seconds = (this.last - this.first) / 1000;
    // The first token's time is the prompt's: the clock counts those after it.
    const measured = seconds > 0 ? (this.usage.completion - 1) / seconds : undefined;
    return { figures: { ...this.usage, perSecond: this.perSecond ?? measured } };
  }
}
