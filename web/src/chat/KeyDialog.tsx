// Asks for the key of a server that answered 401.
import { useState } from 'preact/hooks';
import { useWords } from '../look.ts';
import { FormActions, Sheet } from '../parts.tsx';
import type { Session } from '../talk/session.ts';

export function KeyDialog({ session, onClose }: { session: Session; onClose(): void }) {
  const words = useWords();
  const [key, setKey] = useState(session.api.key);
  const save = (event: Event) => {
    event.preventDefault();
    onClose();
    void session.setKey(key);
  };
  return (
    <Sheet title={words.keyTitle} onClose={onClose}>
      <form onSubmit={save}>
        <p>{words.keyText}</p>
        <label class="field">
          <span>{words.keyLabel}</span>
          <input
            autofocus
            type="password"
            autocomplete="off"
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        <FormActions quiet={words.cancel} onQuiet={onClose} />
      </form>
    </Sheet>
  );
}
