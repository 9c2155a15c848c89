// TeX between $…$, $$…$$, \(…\) and \[…\]: found here, set by KaTeX later, in the document itself. KaTeX builds nodes
// and sets their styles one by one, which a Content-Security-Policy without inline styles allows; markup it would not.
import katex from 'katex';
import type { MarkedExtension, TokenizerAndRendererExtension, Tokens } from 'marked';
import { escape } from './escape.ts';

/** Longer formulas stay text: what a person reads is shorter, and time grows with length. */
const longest = 20000;

// A dollar opens a formula when no space follows, and closes it when no space is before and no digit after it:
// "from $5 to $10" is money.
const inline = /^(?:\$\$([^$]+?)\$\$|\$(?![\s$])((?:\\[^]|[^\\$\n])*?[^\s\\$])\$(?![\d$])|\\\(([^]+?)\\\)|\\\[([^]+?)\\\])/;
const block = /^ {0,3}(?:\$\$([^$]+?)\$\$|\\\[([^]+?)\\\])[ \t]*(?:\n|$)/;

function mark(tex: string, display: boolean): string {
  return `<span class="math" data-display="${display ? 'block' : 'inline'}">${escape(tex.trim())}</span>`;
}

function extension(
  name: string,
  level: 'inline' | 'block',
  rule: RegExp,
  begins: RegExp,
  display: (found: RegExpExecArray) => boolean,
): TokenizerAndRendererExtension {
  return {
    name,
    level,
    start(source: string) {
      const found = begins.exec(source);
      return found ? found.index + found[0].search(/[$\\]/) : undefined;
    },
    tokenizer(source: string): Tokens.Generic | undefined {
      const found = rule.exec(source);
      if (!found) return undefined;
      const tex = found.slice(1).find((part) => part !== undefined) ?? '';
      return { type: name, raw: found[0], tex, display: display(found) };
    },
    renderer: (token: Tokens.Generic) => mark(String(token.tex), Boolean(token.display)),
  };
}

export const mathExtension: MarkedExtension = {
  extensions: [
    // A block begins a line; marked ends the paragraph before it there.
    extension('blockMath', 'block', block, /\n {0,3}(?:\$\$|\\\[)/, () => true),
    extension('inlineMath', 'inline', inline, /\$|\\\(|\\\[/, (found) => found[1] !== undefined || found[4] !== undefined),
  ],
};

/** Sets every formula inside `root`. One that KaTeX refuses stays as it was written. */
export function setMath(root: ParentNode): void {
  for (const place of root.querySelectorAll<HTMLElement>('span.math')) {
    const tex = place.textContent ?? '';
    if (tex.length > longest) continue;
    const set = document.createElement('span');
    try {
      // trust: no links, images or HTML from TeX. maxExpand and maxSize: no macro bomb, no formula over the page.
      katex.render(tex, set, {
        displayMode: place.dataset.display === 'block',
        trust: false,
        strict: 'ignore',
        maxExpand: 500,
        maxSize: 30,
      });
      place.replaceChildren(...set.childNodes);
    } catch {
      place.classList.add('unset');
    }
  }
}
