// One conversation in the list, with its menu.
import { useEffect, useRef, useState } from 'preact/hooks';
import { languageOf, useWords } from '../look.ts';
import { Icon } from '../parts.tsx';
import type { Conversation } from '../talk/conversation.ts';
import { exportTalk } from './export.ts';

interface Props {
  talk: Conversation;
  current: boolean;
  running: boolean;
  onRename(): void;
  onRemove(): void;
}

export function Entry({ talk, current, running, onRename, onRemove }: Props) {
  const words = useWords();
  const [open, setOpen] = useState(false);
  const title = talk.title || words.untitled;
  const names = { user: words.you, assistant: words.assistant, tool: words.tool, system: words.system };
  const acts: [string, () => void][] = [
    [words.rename, onRename],
    [words.exportJson, () => exportTalk(talk, 'json', names)],
    [words.exportMarkdown, () => exportTalk(talk, 'md', names)],
    [words.remove, onRemove],
  ];
  return (
    <li class={current ? 'current' : ''}>
      <a href={`#/c/${talk.id}`} aria-current={current ? 'page' : undefined} lang={languageOf(title)}>
        {running && <span class="dot on" aria-hidden="true" />}
        {title}
      </a>
      <button
        type="button"
        class="quiet"
        aria-label={words.more(title)}
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon name="more" />
      </button>
      {open && <Menu acts={acts} label={words.more(title)} onClose={() => setOpen(false)} />}
    </li>
  );
}

/** A menu as the ARIA practices describe one: arrows move, Esc and leaving close it, focus goes back to its button. */
function Menu({ acts, label, onClose }: { acts: [string, () => void][]; label: string; onClose(): void }) {
  const list = useRef<HTMLDivElement>(null);
  const items = () => Array.from(list.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? []);
  const button = () => list.current?.previousElementSibling as HTMLElement | null;
  useEffect(() => items()[0]?.focus(), []);
  const onKeyDown = (event: KeyboardEvent) => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
    const next = steps[event.key];
    if (next !== undefined) {
      event.preventDefault();
      all.at(next % all.length)?.focus();
    } else if (event.key === 'Escape') {
      event.stopPropagation();
      button()?.focus();
      onClose();
    }
  };
  const onFocusOut = (event: FocusEvent) => {
    const to = event.relatedTarget as Node | null;
    if (!list.current?.contains(to) && to !== button()) onClose();
  };
  return (
    <div ref={list} class="menu" role="menu" aria-label={label} onKeyDown={onKeyDown} onFocusOut={onFocusOut}>
      {acts.map(([name, act]) => (
        <button
          key={name}
          type="button"
          role="menuitem"
          tabIndex={-1}
          onClick={() => {
            button()?.focus();
            onClose();
            act();
          }}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
