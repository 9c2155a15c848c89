// One conversation: what was said, and the box to say more in. Without a conversation, the beginning of one.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useWords } from '../look.ts';
import { Icon } from '../parts.tsx';
import { branch, openCalls, type Conversation, type Settings } from '../talk/conversation.ts';
import type { Session, State } from '../talk/session.ts';
import { Composer } from './Composer.tsx';
import { MessageView } from './MessageView.tsx';
import { SettingsDialog } from './SettingsDialog.tsx';
import { ToolResults } from './ToolCalls.tsx';
import { useFollow } from './follow.ts';

interface Props {
  session: Session;
  state: State;
  talk?: Conversation;
  onMenu(): void;
  onKey(): void;
}

export function Chat({ session, state, talk, onMenu, onKey }: Props) {
  const words = useWords();
  const [dialog, setDialog] = useState(false);
  const [fresh, setFresh] = useState<Settings>(); // settings of a conversation not begun yet
  const path = useMemo(() => (talk ? branch(talk) : []), [talk]);
  const running = !!talk && state.running.has(talk.id);
  const { scroller, content, away, toBottom } = useFollow(talk?.id);
  const waiting = useMemo(() => (running ? [] : openCalls(path)), [path, running]);
  useStopKey(() => talk && session.stop(talk.id), running);

  const say = (parent: string, text: string) => {
    const id = talk?.id ?? session.create(fresh ?? session.defaults).id;
    void session.say(id, parent, text);
    if (!talk) location.hash = `#/c/${id}`;
    toBottom();
  };
  const settings = talk?.settings ?? fresh ?? session.defaults;
  const saveSettings = (next: Settings) => (talk ? session.setSettings(talk.id, next) : setFresh(next));
  return (
    <div class="view chat">
      <header class="bar">
        <button type="button" class="quiet menu-button" aria-label={words.openMenu} onClick={onMenu}>
          <Icon name="menu" />
        </button>
        <h1 class={talk?.title ? '' : 'unseen'}>{talk?.title || words.newChat}</h1>
        <ModelChoice session={session} state={state} talk={talk} />
        <button type="button" class="quiet" aria-label={words.settings} onClick={() => setDialog(true)}>
          <Icon name="settings" />
        </button>
      </header>
      <div class="scroll" ref={scroller}>
        <div class="column" ref={content}>
          <Trouble session={session} state={state} onKey={onKey} />
          {!path.length && <Greeting onPick={(text) => say('', text)} />}
          {talk &&
            path.map((message) => (
              <MessageView key={message.id} session={session} talk={talk} message={message} running={running} onSay={say} />
            ))}
          {talk && waiting.length > 0 && (
            <ToolResults
              key={path.at(-1)?.id}
              calls={waiting}
              onGive={(results) => void session.giveResults(talk.id, path.at(-1)?.id ?? '', results)}
            />
          )}
        </div>
      </div>
      <div class="below">
        {away && (
          <button type="button" class="to-bottom" aria-label={words.toBottom} onClick={toBottom}>
            <Icon name="down" />
          </button>
        )}
        <Composer
          id={talk?.id ?? ''}
          running={running}
          ready={state.models.length > 0}
          onSend={(text) => say(path.at(-1)?.id ?? '', text)}
          onStop={() => talk && session.stop(talk.id)}
        />
        <Foot path={path} state={state} model={talk?.model || state.model} />
      </div>
      {dialog && (
        <SettingsDialog
          settings={settings}
          onSave={saveSettings}
          onDefault={(next) => (session.defaults = next)}
          onClose={() => setDialog(false)}
        />
      )}
    </div>
  );
}

/** Esc stops the answer, wherever the focus is, unless something open takes it first. */
function useStopKey(stop: () => void, active: boolean): void {
  const now = useRef(stop);
  now.current = stop;
  useEffect(() => {
    if (!active) return;
    const press = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || event.isComposing || event.keyCode === 229) return;
      if (!document.querySelector('dialog[open], [role=menu], aside.open')) now.current();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [active]);
}

function ModelChoice({ session, state, talk }: Pick<Props, 'session' | 'state' | 'talk'>) {
  const words = useWords();
  const known = state.models.some(({ id }) => id === talk?.model);
  return (
    <select
      class="model"
      aria-label={words.model}
      disabled={!state.models.length}
      value={known ? talk?.model : state.model}
      onChange={(event) => session.setModel(talk?.id, event.currentTarget.value)}
    >
      {!state.models.length && <option>{words.noModels}</option>}
      {state.models.map(({ id }) => (
        <option key={id} value={id}>
          {id}
        </option>
      ))}
    </select>
  );
}

function Trouble({ session, state, onKey }: Pick<Props, 'session' | 'state' | 'onKey'>) {
  const words = useWords();
  if (state.server === 'ready' || state.server === 'asking') return null;
  const locked = state.server === 'locked';
  return (
    <p class="notice" role="alert">
      {locked ? words.keyMissing : words.unreachable}{' '}
      <button type="button" class="plain" onClick={locked ? onKey : () => void session.loadModels()}>
        {locked ? words.keyEnter : words.retry}
      </button>
    </p>
  );
}

function Greeting({ onPick }: { onPick(text: string): void }) {
  const words = useWords();
  return (
    <section class="greeting">
      <h2>{words.greeting}</h2>
      <p class="hint">{words.greetingNote}</p>
      <ul>
        {words.suggestions.map((text) => (
          <li key={text}>
            <button type="button" onClick={() => onPick(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** How full the model's context was with the last answer. */
function Foot({ path, state, model }: { path: ReturnType<typeof branch>; state: State; model: string }) {
  const words = useWords();
  const figures = path.findLast((message) => message.figures)?.figures;
  const all = state.models.find(({ id }) => id === model)?.context_window;
  const used = figures ? figures.prompt + figures.completion : 0;
  const number = (value: number) => value.toLocaleString(words.code);
  return (
    <div class="foot">
      <span class="hint keys">{words.sendHint}</span>
      {used > 0 && (
        <span class="context">
          {all && <meter aria-label={words.contextUsed} max={all} high={all * 0.85} value={used} />}
          {all ? words.contextOf(number(used), number(all)) : words.tokens(used)}
        </span>
      )}
    </div>
  );
}
