// Highlighting for the languages people ask models about. Others stay plain: guessing colours wrongly helps nobody.
import highlighter from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import cpp from 'highlight.js/lib/languages/cpp';
import csharp from 'highlight.js/lib/languages/csharp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import go from 'highlight.js/lib/languages/go';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import kotlin from 'highlight.js/lib/languages/kotlin';
import python from 'highlight.js/lib/languages/python';
import rust from 'highlight.js/lib/languages/rust';
import sql from 'highlight.js/lib/languages/sql';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';
import { escape } from './escape.ts';

const languages = {
  bash, cpp, csharp, css, diff, go, java, javascript, json, kotlin, python, rust, sql, typescript, xml, yaml,
};
for (const [name, language] of Object.entries(languages)) highlighter.registerLanguage(name, language);
highlighter.registerAliases(['c', 'h', 'hpp', 'cc'], { languageName: 'cpp' });
highlighter.registerAliases(['shell', 'console', 'zsh'], { languageName: 'bash' });

/** Beyond this many characters code stays plain: it comes with every step of a stream. */
const longest = 50000;

/** Code as HTML, its own letters escaped. */
export function highlight(code: string, language: string): string {
  if (code.length > longest || !highlighter.getLanguage(language)) return escape(code);
  return highlighter.highlight(code, { language, ignoreIllegals: true }).value;
}
