// Language and appearance: taken from the browser, changed by a switch, kept. Shared by the chat and the API reference.
import { createContext } from 'preact';
import { useContext, useState } from 'preact/hooks';
import { keep, kept } from './talk/storage.ts';
import { en, type Words } from './words/en.ts';
import { ko } from './words/ko.ts';

export type Theme = 'auto' | 'light' | 'dark';

export interface Look {
  words: Words;
  theme: Theme;
  setLanguage(code: string): void;
  setTheme(theme: Theme): void;
}

const tables: Record<string, Words> = { en, ko };

function firstLanguage(): string {
  const wanted = [kept('language'), ...navigator.languages.map((name) => name.slice(0, 2))];
  return wanted.find((code) => code in tables) ?? 'en';
}

function firstTheme(): Theme {
  const theme = kept('theme');
  return theme === 'light' || theme === 'dark' ? theme : 'auto';
}

function show(code: string, theme: Theme): void {
  document.documentElement.lang = code;
  document.documentElement.dataset.theme = theme;
}

/** The look itself, for the root of a page. */
export function useOwnLook(): Look {
  const [code, setCode] = useState(firstLanguage);
  const [theme, setTheme] = useState(firstTheme);
  show(code, theme);
  return {
    words: tables[code] ?? en,
    theme,
    setLanguage(next) {
      keep('language', next);
      setCode(next);
    },
    setTheme(next) {
      keep('theme', next === 'auto' ? '' : next);
      setTheme(next);
    },
  };
}

export const LookContext = createContext<Look | undefined>(undefined);

export function useLook(): Look {
  const look = useContext(LookContext);
  if (!look) throw new Error('no look around this component');
  return look;
}

export const useWords = (): Words => useLook().words;

/** The language a text is in, as far as its letters tell: for line breaks and for voices that read it aloud. */
export function languageOf(text: string): string | undefined {
  if (/[\uac00-\ud7a3\u1100-\u11ff]/.test(text)) return 'ko';
  if (/[\u3040-\u30ff]/.test(text)) return 'ja';
  if (/[\u4e00-\u9fff]/.test(text)) return 'zh';
  return undefined;
}
