// The frame: which view is shown, the list at the side, what screen readers are told, dialogs over everything.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { Chat } from './chat/Chat.tsx';
import { KeyDialog } from './chat/KeyDialog.tsx';
import { Sidebar } from './chat/Sidebar.tsx';
import { LookContext, useOwnLook } from './look.ts';
import { StatusView } from './StatusView.tsx';
import type { Finished, Session, State } from './talk/session.ts';
import { plain } from './text/markdown.ts';

export type Route = { view: 'chat'; id?: string } | { view: 'status' };

function readRoute(): Route {
  const hash = location.hash;
  if (hash === '#/status') return { view: 'status' };
  const found = /^#\/c\/([\w-]+)$/.exec(hash);
  return found ? { view: 'chat', id: found[1] } : { view: 'chat' };
}

function useRoute(): Route {
  const [route, setRoute] = useState(readRoute);
  useEffect(() => {
    const follow = () => setRoute(readRoute());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return route;
}

export function useSession(session: Session): State {
  const [state, setState] = useState(session.state);
  useEffect(() => {
    setState(session.state);
    return session.subscribe(() => setState(session.state));
  }, [session]);
  return state;
}

export function App({ session }: { session: Session }) {
  const look = useOwnLook();
  const { words } = look;
  const state = useSession(session);
  const route = useRoute();
  const [menu, setMenu] = useState(false);
  const [said, setSaid] = useState('');
  const [asking, setAsking] = useState(false);
  const wordsNow = useRef(words);
  wordsNow.current = words;

  useEffect(() => {
    // The answer itself grows silently; it is read out once, when it is whole.
    session.onFinished = ({ message }: Finished) => {
      const { answered, answerStopped, endings } = wordsNow.current;
      if (message.ending === 'stopped') setSaid(answerStopped);
      else if (message.ending === 'error') setSaid(`${endings.error} ${message.error ?? ''}`);
      else setSaid(answered(plain(message.content)));
    };
  }, [session]);
  useEffect(() => setAsking(state.server === 'locked'), [state.server]);
  const closeMenu = useCallback(() => setMenu(false), []);
  useEffect(closeMenu, [route, closeMenu]);

  const talk = route.view === 'chat' && route.id ? state.talks.get(route.id) : undefined;
  document.title = talk?.title ? `${talk.title} · madang` : 'madang';
  const askKey = () => setAsking(true);
  return (
    <LookContext.Provider value={look}>
      <a class="skip" href="#message" onClick={focusMessage}>
        {words.skip}
      </a>
      <div class="frame">
        <Sidebar session={session} state={state} route={route} open={menu} onClose={closeMenu} onSay={setSaid} />
        <main inert={menu}>
          {route.view === 'status' ? (
            <StatusView api={session.api} onMenu={() => setMenu(true)} onLocked={askKey} />
          ) : (
            <Chat key={route.id ?? ''} session={session} state={state} talk={talk} onMenu={() => setMenu(true)} onKey={askKey} />
          )}
        </main>
      </div>
      <div class="unseen" role="status" aria-live="polite" id="announcer">
        {said}
      </div>
      {asking && <KeyDialog session={session} onClose={() => setAsking(false)} />}
    </LookContext.Provider>
  );
}

function focusMessage(event: Event): void {
  event.preventDefault();
  document.getElementById('message')?.focus();
}
