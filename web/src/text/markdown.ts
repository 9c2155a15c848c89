// Markdown from a model, which is a stranger, as nodes. Three walls: raw HTML is shown as text except a few harmless
// tags; DOMPurify drops whatever is not on a short list; the page's policy runs no script and fetches nothing. Images
// are shown as links: fetching one would tell its host what was talked about.
import DOMPurify from 'dompurify';
import { Marked, type Token, type Tokens } from 'marked';
import { highlight } from './code.ts';
import { escape } from './escape.ts';
import { mathExtension, setMath } from './math.ts';

const harmless = /&lt;(\/?)(br|sub|sup|kbd|mark|u|details|summary)\s*(\/?)&gt;/gi;
const safeAddress = /^(https?:|mailto:)/i;

function link(href: string, inner: string): string {
  if (!safeAddress.test(href)) return inner;
  return `<a href="${escape(href)}">${inner}</a>`;
}

const marked = new Marked({ gfm: true, breaks: false }, mathExtension, {
  renderer: {
    html: ({ text }) => escape(text).replace(harmless, '<$1$2$3>'),
    image: ({ href, text }) => link(href, escape(text || href)),
    link({ href, tokens }) {
      return link(href, this.parser.parseInline(tokens));
    },
    code({ text, lang }) {
      const language = (lang ?? '').split(/\s/, 1)[0]?.toLowerCase() ?? '';
      return `<div class="code" data-language="${escape(language)}"><pre tabindex="0"><code>${highlight(text, language)}</code></pre></div>`;
    },
    table(token: Tokens.Table) {
      const row = (cells: Tokens.TableCell[], tag: string) => {
        const inside = cells.map((cell) => {
          const side = cell.align ? ` align="${cell.align}"` : '';
          return `<${tag}${side}>${this.parser.parseInline(cell.tokens)}</${tag}>`;
        });
        return `<tr>${inside.join('')}</tr>`;
      };
      const body = token.rows.map((cells) => row(cells, 'td')).join('');
      return `<div class="table" tabindex="0"><table><thead>${row(token.header, 'th')}</thead><tbody>${body}</tbody></table></div>`;
    },
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
});

const allowed = {
  ALLOWED_TAGS: [
    'a', 'b', 'blockquote', 'br', 'code', 'del', 'details', 'div', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'kbd',
    'li', 'mark', 'ol', 'p', 'pre', 'span', 'strong', 'sub', 'summary', 'sup', 'table', 'tbody', 'td', 'th', 'thead',
    'tr', 'u', 'ul',
  ],
  ALLOWED_ATTR: ['align', 'class', 'data-display', 'data-language', 'href', 'start', 'tabindex'],
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  ALLOWED_URI_REGEXP: safeAddress,
  // Attributes that hold no address: DOMPurify would hold them against safeAddress.
  ADD_URI_SAFE_ATTR: ['align', 'data-display', 'data-language', 'start', 'tabindex'],
  RETURN_DOM_FRAGMENT: true as const,
};

/** The blocks of a text: each renders by itself, so that a growing answer renders only its end again. */
export function blocks(text: string): Token[][] {
  const tokens = marked.lexer(text);
  return tokens.filter((token) => token.type !== 'space' && token.type !== 'def').map((token) => [token]);
}

/** One block as nodes, safe to show. */
export function render(tokens: Token[]): DocumentFragment {
  const fragment = DOMPurify.sanitize(marked.parser(tokens), allowed);
  for (const anchor of fragment.querySelectorAll('a')) {
    anchor.target = '_blank';
    anchor.rel = 'noopener noreferrer';
  }
  setMath(fragment);
  return fragment;
}

/** What a screen reader is told of a finished answer: its text without marks. */
export function plain(text: string): string {
  const fragment = DOMPurify.sanitize(marked.parse(text, { async: false }), allowed);
  return (fragment.textContent ?? '').replace(/\s+/g, ' ').trim();
}
