// One message: its text, what can be done with it, and its other versions.
import { useEffect, useRef, useState } from 'preact/hooks';
import { languageOf, useWords } from '../look.ts';
import { Icon } from '../parts.tsx';
import { siblings, type Conversation, type Message } from '../talk/conversation.ts';
import type { Session } from '../talk/session.ts';
import { copyText } from '../text/copy.ts';
import { Markdown } from '../text/Markdown.tsx';
import { composing } from './Composer.tsx';
import { ToolCallView } from './ToolCalls.tsx';

interface Props {
  session: Session;
  talk: Conversation;
  message: Message;
  running: boolean; // the conversation is being answered
  onSay(parent: string, text: string): void;
}

export function MessageView(props: Props) {
  const words = useWords();
  const { message } = props;
  const [editing, setEditing] = useState(false);
  return (
    <article class={`message ${message.role}`} aria-label={words[whose[message.role]]}>
      {message.role === 'user' && editing ? (
        <Edit
          text={message.content}
          onCancel={() => setEditing(false)}
          onSend={(text) => {
            setEditing(false);
            props.onSay(message.parent, text);
          }}
        />
      ) : (
        <Content talk={props.talk} message={message} />
      )}
      {!editing && message.role !== 'tool' && <Actions {...props} onEdit={() => setEditing(true)} />}
    </article>
  );
}

const whose = { user: 'you', assistant: 'assistant', tool: 'tool' } as const;

function Content({ talk, message }: Pick<Props, 'talk' | 'message'>) {
  const words = useWords();
  const { content, role, ending } = message;
  if (role === 'user') {
    return (
      <div class="said" lang={languageOf(content)}>
        {content}
      </div>
    );
  }
  if (role === 'tool') {
    const call = talk.messages.flatMap((other) => other.toolCalls ?? []).find(({ id }) => id === message.toolCallId);
    return (
      <details class="fold">
        <summary>{words.toolResultFor(call?.name ?? '?')}</summary>
        <pre tabindex={0}>{content}</pre>
      </details>
    );
  }
  const writing = !ending;
  return (
    <div class={writing ? 'answer writing' : 'answer'} aria-busy={writing}>
      {message.reasoning && (
        <details class="fold">
          <summary>{writing && !content ? words.reasoningNow : words.reasoning}</summary>
          <Markdown text={message.reasoning} final={!writing} />
        </details>
      )}
      {content ? <Markdown text={content} final={!writing} /> : writing && <p class="hint pulse">{words.writing}</p>}
      {message.toolCalls?.map((call, at) => <ToolCallView key={at} call={call} />)}
      {ending && words.endings[ending] && (
        <p class={ending === 'error' ? 'notice' : 'hint'}>
          {words.endings[ending]} {message.error}
        </p>
      )}
    </div>
  );
}

function Actions({ session, talk, message, running, onEdit }: Props & { onEdit(): void }) {
  const words = useWords();
  const [copied, setCopied] = useState(false);
  if (message.role === 'assistant' && !message.ending) return null;
  const copy = async () => {
    await copyText(message.content);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <div class="message-actions">
      <Versions session={session} talk={talk} message={message} running={running} />
      <button type="button" class="quiet" aria-label={copied ? words.copied : words.copy} title={words.copy} onClick={copy}>
        <Icon name={copied ? 'check' : 'copy'} />
      </button>
      {message.role === 'user' ? (
        <button type="button" class="quiet" aria-label={words.edit} title={words.edit} disabled={running} onClick={onEdit}>
          <Icon name="edit" />
        </button>
      ) : (
        <button
          type="button"
          class="quiet"
          aria-label={words.again}
          title={words.again}
          disabled={running}
          onClick={() => void session.again(talk.id, message)}
        >
          <Icon name="again" />
        </button>
      )}
      <Speed message={message} />
    </div>
  );
}

function Speed({ message }: { message: Message }) {
  const words = useWords();
  const { figures } = message;
  if (!figures) return null;
  const speed = figures.perSecond?.toLocaleString(words.code, { maximumFractionDigits: figures.perSecond < 100 ? 1 : 0 });
  const parts = [words.tokens(figures.completion), speed && words.perSecond(speed), message.model];
  return <span class="hint speed">{parts.filter(Boolean).join(' · ')}</span>;
}

function Versions({ session, talk, message, running }: Pick<Props, 'session' | 'talk' | 'message' | 'running'>) {
  const words = useWords();
  const all = siblings(talk, message);
  const at = all.findIndex(({ id }) => id === message.id);
  if (all.length < 2) return null;
  const step = (to: number, label: string, icon: 'left' | 'right') => (
    <button
      type="button"
      class="quiet"
      aria-label={label}
      disabled={running || !all[to]}
      onClick={() => {
        const next = all[to];
        if (next) session.choose(talk.id, next);
      }}
    >
      <Icon name={icon} />
    </button>
  );
  return (
    <span class="versions" role="group" aria-label={words.versions}>
      {step(at - 1, words.previous, 'left')}
      <span class="hint">
        {at + 1}/{all.length}
      </span>
      {step(at + 1, words.next, 'right')}
    </span>
  );
}

function Edit({ text, onSend, onCancel }: { text: string; onSend(text: string): void; onCancel(): void }) {
  const words = useWords();
  const [draft, setDraft] = useState(text);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(text.length, text.length);
  }, []);
  const send = () => draft.trim() && onSend(draft.trim());
  const onKeyDown = (event: KeyboardEvent) => {
    if (composing(event)) return;
    if (event.key === 'Escape') onCancel();
    if (event.key !== 'Enter' || event.shiftKey) return;
    event.preventDefault();
    send();
  };
  return (
    <div class="edit">
      <textarea
        ref={field}
        value={draft}
        rows={2}
        aria-label={words.editLabel}
        onInput={(event) => setDraft(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <div class="actions">
        <button type="button" class="plain" onClick={onCancel}>
          {words.cancel}
        </button>
        <button type="button" class="strong" disabled={!draft.trim()} onClick={send}>
          {words.saveAndSend}
        </button>
      </div>
    </div>
  );
}
