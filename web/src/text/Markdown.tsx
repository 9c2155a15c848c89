// Shows Markdown, block by block. A block whose text is as before keeps its nodes: selection and scrolling survive
// while the answer below it grows.
import type { Token } from 'marked';
import { memo } from 'preact/compat';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { languageOf, useWords } from '../look.ts';
import type { Words } from '../words/en.ts';
import { copyText } from './copy.ts';
import { blocks, render } from './markdown.ts';

function addCopyButtons(root: HTMLElement, words: Words): void {
  for (const code of root.querySelectorAll<HTMLElement>('.code')) {
    const bar = document.createElement('div');
    bar.className = 'code-bar';
    const name = document.createElement('span');
    name.textContent = code.dataset.language ?? '';
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = words.copy;
    button.setAttribute('aria-label', words.copyCode);
    button.onclick = async () => {
      await copyText(code.querySelector('code')?.textContent ?? '');
      button.textContent = words.copied;
      setTimeout(() => (button.textContent = words.copy), 2000);
    };
    bar.append(name, button);
    code.prepend(bar);
  }
}

interface BlockProps {
  tokens: Token[];
  raw: string;
  final: boolean;
}

const Block = memo(
  function Block({ tokens }: BlockProps) {
    const words = useWords();
    const place = useRef<HTMLDivElement>(null);
    useLayoutEffect(() => {
      const root = place.current;
      if (!root) return;
      root.replaceChildren(render(tokens));
      addCopyButtons(root, words);
    }, [tokens, words]);
    return <div ref={place} />;
  },
  // `final`: a link's address may have come after the block that uses it.
  (before, after) => before.raw === after.raw && before.final === after.final,
);

export function Markdown({ text, final = true }: { text: string; final?: boolean }) {
  const parts = useMemo(() => blocks(text), [text]);
  return (
    <div class="markdown" lang={languageOf(text)}>
      {parts.map((tokens, at) => (
        <Block key={at} tokens={tokens} raw={tokens.map((token) => token.raw).join('')} final={final} />
      ))}
    </div>
  );
}
