// System prompt and sampling of one conversation. An empty field is not sent: the model's own default holds.
import { useState } from 'preact/hooks';
import { useWords } from '../look.ts';
import { FormActions, Sheet } from '../parts.tsx';
import { noSettings, type Settings } from '../talk/conversation.ts';

type Parameter = 'temperature' | 'top_p' | 'top_k' | 'min_p' | 'max_tokens' | 'seed';

// What the API takes: [least, most, step].
const ranges: Record<Parameter, [number, number | undefined, number | 'any']> = {
  temperature: [0, 2, 'any'],
  top_p: [0, 1, 'any'],
  top_k: [0, undefined, 1],
  min_p: [0, 1, 'any'],
  max_tokens: [1, undefined, 1],
  seed: [0, Number.MAX_SAFE_INTEGER, 1],
};

interface Props {
  settings: Settings;
  onSave(settings: Settings): void;
  onDefault(settings: Settings): void;
  onClose(): void;
}

/** Whether this text can be sent as `tools`. */
function isToolList(text: string): boolean {
  try {
    return !text.trim() || Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}

export function SettingsDialog({ settings, onSave, onDefault, onClose }: Props) {
  const words = useWords();
  const [draft, setDraft] = useState(settings);
  const [asDefault, setAsDefault] = useState(false);
  const change = (part: Partial<Settings>) => setDraft({ ...draft, ...part });
  const toolsFault = isToolList(draft.tools) ? '' : words.toolsFault;
  const save = (event: Event) => {
    event.preventDefault();
    if (toolsFault) return;
    const next = { ...draft, stop: draft.stop.filter(Boolean), tools: draft.tools.trim() };
    onSave(next);
    if (asDefault) onDefault(next);
    onClose();
  };
  return (
    <Sheet title={words.settings} side onClose={onClose}>
      <form onSubmit={save}>
        <Area label={words.system} note={words.systemNote} value={draft.system} rows={5} first
          onInput={(system) => change({ system })} />
        <fieldset>
          <legend>{words.sampling}</legend>
          <p class="hint">{words.samplingNote}</p>
          {(Object.keys(ranges) as Parameter[]).map((name) => (
            <NumberField key={name} name={name} value={draft[name]} onInput={(value) => change({ [name]: value })} />
          ))}
        </fieldset>
        <Area label={words.stopLabel} note={words.stopNote} value={draft.stop.join('\n')} rows={2}
          onInput={(text) => change({ stop: text ? text.split('\n') : [] })} />
        <Area label={words.toolsLabel} note={words.toolsNote} fault={toolsFault} value={draft.tools} rows={3} code
          onInput={(tools) => change({ tools })} />
        <label class="check">
          <input type="checkbox" checked={asDefault} onChange={(event) => setAsDefault(event.currentTarget.checked)} />
          {words.asDefault}
        </label>
        <FormActions quiet={words.reset} onQuiet={() => setDraft({ ...noSettings })} />
      </form>
    </Sheet>
  );
}

interface AreaProps {
  label: string;
  note: string;
  fault?: string;
  value: string;
  rows: number;
  code?: boolean;
  first?: boolean; // gets the focus when the dialog opens
  onInput(text: string): void;
}

function Area({ label, note, fault, value, rows, code, first, onInput }: AreaProps) {
  return (
    <label class="field">
      <span>{label}</span>
      <textarea
        class={code ? 'mono' : ''}
        rows={rows}
        value={value}
        autofocus={first}
        aria-invalid={!!fault}
        spellcheck={!code}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <small class={fault ? 'fault' : ''}>{fault || note}</small>
    </label>
  );
}

function NumberField({ name, value, onInput }: { name: Parameter; value?: number; onInput(value?: number): void }) {
  const words = useWords();
  const [label, note] = words.parameters[name] ?? [name, ''];
  const [min, max, step] = ranges[name];
  return (
    <label class="field row">
      <span>{label}</span>
      <input
        type="number"
        inputMode="decimal"
        value={value ?? ''}
        min={min}
        max={max}
        step={step}
        placeholder={words.byModel}
        onInput={(event) => onInput(event.currentTarget.value === '' ? undefined : event.currentTarget.valueAsNumber)}
      />
      <small>{note}</small>
    </label>
  );
}
