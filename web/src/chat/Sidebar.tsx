// The list at the side: conversations, and the doors to everything else. On a phone it lies over the page.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Route } from '../App.tsx';
import { useWords } from '../look.ts';
import { Brand, FormActions, Icon, LanguageSwitch, Sheet, ThemeSwitch } from '../parts.tsx';
import type { Conversation } from '../talk/conversation.ts';
import { fromJson, ImportError, toJson } from '../talk/exchange.ts';
import type { Session, State } from '../talk/session.ts';
import { saveFile } from '../text/copy.ts';
import { Entry } from './Entry.tsx';

interface Props {
  session: Session;
  state: State;
  route: Route;
  open: boolean;
  onClose(): void;
  onSay(text: string): void;
}

export function Sidebar({ session, state, route, open, onClose, onSay }: Props) {
  const words = useWords();
  const [query, setQuery] = useState('');
  const [renaming, setRenaming] = useState<Conversation>();
  const [removing, setRemoving] = useState<Conversation>();
  const aside = useRef<HTMLElement>(null);
  const listed = useListed(state, query);
  const shown = route.view === 'chat' ? route.id : undefined;

  useEffect(() => {
    if (!open) return;
    aside.current?.querySelector<HTMLElement>('button')?.focus();
    const close = (event: KeyboardEvent) => event.key === 'Escape' && !document.querySelector('dialog') && onClose();
    addEventListener('keydown', close);
    return () => {
      removeEventListener('keydown', close);
      document.querySelector<HTMLElement>('.menu-button')?.focus();
    };
  }, [open, onClose]);

  const goNew = () => {
    location.hash = '#/';
    onClose();
    document.getElementById('message')?.focus();
  };
  return (
    <>
      <div class={open ? 'veil open' : 'veil'} onClick={onClose} />
      <aside ref={aside} class={open ? 'open' : ''} aria-label={words.conversations}>
        <div class="aside-top">
          <Brand />
          <button type="button" class="quiet menu-close" aria-label={words.closeMenu} onClick={onClose}>
            <Icon name="close" />
          </button>
        </div>
        <button type="button" class="new" onClick={goNew}>
          <Icon name="plus" /> {words.newChat}
        </button>
        <input
          type="search"
          value={query}
          placeholder={words.search}
          aria-label={words.search}
          onInput={(event) => setQuery(event.currentTarget.value)}
        />
        <nav aria-label={words.conversations}>
          <ul>
            {listed.map((talk) => (
              <Entry
                key={talk.id}
                talk={talk}
                current={talk.id === shown}
                running={state.running.has(talk.id)}
                onRename={() => setRenaming(talk)}
                onRemove={() => setRemoving(talk)}
              />
            ))}
          </ul>
          {state.loaded && !listed.length && <p class="hint">{query ? words.nothingFound : words.noConversations}</p>}
        </nav>
        <Foot session={session} state={state} route={route} onSay={onSay} />
      </aside>
      {renaming && <RenameDialog session={session} talk={renaming} onClose={() => setRenaming(undefined)} />}
      {removing && (
        <RemoveDialog session={session} talk={removing} shown={shown} onClose={() => setRemoving(undefined)} />
      )}
    </>
  );
}

/** Conversations with something in them, newest first, that contain the query in title or text. */
function useListed(state: State, query: string): Conversation[] {
  return useMemo(() => {
    const wanted = query.normalize('NFC').toLocaleLowerCase();
    const has = (text: string) => text.normalize('NFC').toLocaleLowerCase().includes(wanted);
    return [...state.talks.values()]
      .filter((talk) => talk.messages.length)
      .filter((talk) => !wanted || has(talk.title) || talk.messages.some((message) => has(message.content)))
      .sort((one, other) => other.updated - one.updated);
  }, [state.talks, query]);
}

function Foot({ session, state, route, onSay }: Pick<Props, 'session' | 'state' | 'route' | 'onSay'>) {
  const words = useWords();
  const file = useRef<HTMLInputElement>(null);
  const [fault, setFault] = useState('');
  const take = async (chosen: File | undefined) => {
    if (!chosen) return;
    try {
      setFault('');
      onSay(words.imported(session.take(fromJson(await chosen.text()))));
    } catch (error) {
      const text = words.importFailed(error instanceof ImportError ? error.message : String(error));
      setFault(text);
      onSay(text);
    }
  };
  const exportAll = () => {
    const talks = [...state.talks.values()].filter((talk) => talk.messages.length);
    saveFile('madang-conversations.json', 'application/json', toJson(talks));
  };
  return (
    <footer>
      {fault && <p class="notice">{fault}</p>}
      {!state.kept && <p class="notice">{words.notKept}</p>}
      <div class="doors">
        <button type="button" class="quiet" onClick={() => file.current?.click()}>
          {words.importFile}
        </button>
        <button type="button" class="quiet" onClick={exportAll} disabled={!state.talks.size}>
          {words.exportAll}
        </button>
        <input
          ref={file}
          type="file"
          accept=".json,application/json"
          aria-label={words.importFile}
          hidden
          onChange={(event) => {
            void take(event.currentTarget.files?.[0]);
            event.currentTarget.value = '';
          }}
        />
      </div>
      <div class="doors">
        <a class="quiet" href="#/status" aria-current={route.view === 'status' ? 'page' : undefined}>
          <Icon name="gauge" /> {words.status}
        </a>
        <a class="quiet" href="/docs">
          <Icon name="book" /> {words.apiDocs}
        </a>
        <a class="quiet" href="/page/licences.txt">
          {words.licences}
        </a>
      </div>
      <div class="doors">
        <LanguageSwitch />
        <ThemeSwitch />
      </div>
    </footer>
  );
}

function RenameDialog({ session, talk, onClose }: { session: Session; talk: Conversation; onClose(): void }) {
  const words = useWords();
  const [title, setTitle] = useState(talk.title);
  const save = (event: Event) => {
    event.preventDefault();
    if (title.trim()) session.rename(talk.id, title.trim());
    onClose();
  };
  return (
    <Sheet title={words.renameTitle} onClose={onClose}>
      <form onSubmit={save}>
        <label class="field">
          <span>{words.title}</span>
          <input autofocus value={title} maxLength={200} onInput={(event) => setTitle(event.currentTarget.value)} />
        </label>
        <FormActions quiet={words.cancel} onQuiet={onClose} />
      </form>
    </Sheet>
  );
}

interface RemoveProps {
  session: Session;
  talk: Conversation;
  shown?: string;
  onClose(): void;
}

function RemoveDialog({ session, talk, shown, onClose }: RemoveProps) {
  const words = useWords();
  const remove = () => {
    void session.remove(talk.id);
    if (shown === talk.id) location.hash = '#/';
    onClose();
  };
  return (
    <Sheet title={words.removeTitle} onClose={onClose}>
      <p>{words.removeText(talk.title || words.untitled)}</p>
      <div class="actions">
        <button type="button" class="plain" autofocus onClick={onClose}>
          {words.cancel}
        </button>
        <button type="button" class="strong danger" onClick={remove}>
          {words.remove}
        </button>
      </div>
    </Sheet>
  );
}
