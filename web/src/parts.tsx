// Small pieces shared by all views: icons, a dialog, the two switches.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { useLook, useWords, type Theme } from './look.ts';

// Drawn on a grid of 24, with one pen.
const drawings = {
  menu: 'M4 7h16M4 12h16M4 17h16',
  plus: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6 6 18',
  send: 'M12 19V5M5.5 11.5 12 5l6.5 6.5',
  stop: 'M7 7h10v10H7z',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  edit: 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3',
  again: 'M19 12a7 7 0 1 1-2-5l2 2M19 4v5h-5',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  left: 'M14.5 6l-6 6 6 6',
  right: 'M9.5 6l6 6-6 6',
  down: 'M12 5v14M5.5 12.5 12 19l6.5-6.5',
  gauge: 'M4 18a9 9 0 1 1 16 0M12 14l4-5',
  book: 'M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11',
  chat: 'M4 5h16v11H9l-5 4z',
};

export function Icon({ name }: { name: keyof typeof drawings }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={drawings[name]} />
    </svg>
  );
}

/** The house with its yard, as in the icon of the page. */
export function Brand() {
  return (
    <span class="brand">
      <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
        <path d="M5 15 16 6l11 9M8 15v11h16V15" />
        <path class="yard" d="M13 18.5h6v6h-6z" />
      </svg>
      madang
    </span>
  );
}

interface SheetProps {
  title: string;
  side?: boolean; // at the side, full height
  onClose(): void;
  children: ComponentChildren;
}

/** A modal dialog: the browser keeps focus inside, closes on Esc and gives focus back. */
export function Sheet({ title, side, onClose, children }: SheetProps) {
  const words = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    return () => {
      // Where the opener is gone (a closed menu), the box to write in is the next best place.
      const target = opener instanceof HTMLElement && opener.isConnected && opener !== document.body ? opener : null;
      (target ?? document.querySelector<HTMLElement>('#message'))?.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={side ? 'sheet side' : 'sheet'}
      aria-labelledby={heading}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <div class="sheet-inside">
        <header>
          <h2 id={heading}>{title}</h2>
          <button type="button" class="quiet" aria-label={words.close} onClick={() => dialog.current?.close()}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

export function LanguageSwitch() {
  const { words, setLanguage } = useLook();
  const other = words.code === 'ko' ? 'en' : 'ko';
  return (
    <button type="button" class="quiet" lang={other} onClick={() => setLanguage(other)}>
      {words.otherLanguage}
    </button>
  );
}

export function ThemeSwitch() {
  const { words, theme, setTheme } = useLook();
  return (
    <label class="quiet choice">
      <span class="unseen">{words.theme}</span>
      <select value={theme} onChange={(event) => setTheme(event.currentTarget.value as Theme)}>
        {(['auto', 'light', 'dark'] as const).map((name) => (
          <option key={name} value={name}>
            {words.themes[name]}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The two ways out of a form in a sheet: something quiet, and saving. */
export function FormActions({ quiet, onQuiet }: { quiet: string; onQuiet(): void }) {
  const words = useWords();
  return (
    <div class="actions">
      <button type="button" class="plain" onClick={onQuiet}>
        {quiet}
      </button>
      <button type="submit" class="strong">
        {words.save}
      </button>
    </div>
  );
}
