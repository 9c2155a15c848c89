// The box one writes in. Enter sends, Shift+Enter starts a line, and nothing is sent while a syllable is being put
// together: the Enter that ends a composition belongs to the input method.
import { useEffect, useRef, useState } from 'preact/hooks';
import { useWords } from '../look.ts';
import { Icon } from '../parts.tsx';

/** Whether this key goes to the input method. Safari reports the last one with keyCode 229 only. */
export const composing = (event: KeyboardEvent): boolean => event.isComposing || event.keyCode === 229;

interface Props {
  id: string; // of the conversation
  running: boolean;
  ready: boolean;
  onSend(text: string): void;
  onStop(): void;
}

export function Composer({ id, running, ready, onSend, onStop }: Props) {
  const words = useWords();
  const [text, setText] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    // On a phone focus would raise the keyboard over what one came to read.
    if (matchMedia('(pointer: fine)').matches) field.current?.focus();
  }, [id]);
  const can = ready && !running && text.trim() !== '';
  const send = () => {
    if (!can) return;
    setText('');
    onSend(text.trim());
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || composing(event)) return;
    event.preventDefault();
    send();
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        id="message"
        ref={field}
        rows={1}
        value={text}
        placeholder={words.placeholder}
        aria-label={words.messageLabel}
        aria-description={words.sendHint}
        enterkeyhint="send"
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {running ? (
        <button type="button" class="round" aria-label={words.stop} title={`${words.stop} (Esc)`} onClick={onStop}>
          <Icon name="stop" />
        </button>
      ) : (
        <button type="submit" class="round" aria-label={words.send} title={words.send} disabled={!can}>
          <Icon name="send" />
        </button>
      )}
    </form>
  );
}
