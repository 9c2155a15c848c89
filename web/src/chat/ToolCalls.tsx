// Calls of tools, folded, and the form in which the reader plays the tool: the page itself runs none.
import { useState } from 'preact/hooks';
import { useWords } from '../look.ts';
import type { ToolCall } from '../talk/conversation.ts';

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json; // not whole yet, or never
  }
}

export function ToolCallView({ call }: { call: ToolCall }) {
  const words = useWords();
  return (
    <details class="fold">
      <summary>{words.toolCall(call.name)}</summary>
      <pre tabindex={0}>{pretty(call.arguments)}</pre>
    </details>
  );
}

export function ToolResults({ calls, onGive }: { calls: ToolCall[]; onGive(results: [string, string][]): void }) {
  const words = useWords();
  const [results, setResults] = useState<Record<string, string>>({});
  return (
    <form
      class="results"
      onSubmit={(event) => {
        event.preventDefault();
        onGive(calls.map(({ id }) => [id, results[id] ?? '']));
      }}
    >
      {calls.map((call) => (
        <label key={call.id} class="field">
          <span>{words.toolResultFor(call.name)}</span>
          <textarea
            rows={2}
            value={results[call.id] ?? ''}
            onInput={(event) => setResults({ ...results, [call.id]: event.currentTarget.value })}
          />
        </label>
      ))}
      <div class="actions">
        <button type="submit" class="strong">
          {words.giveResults}
        </button>
      </div>
    </form>
  );
}
