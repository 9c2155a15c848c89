// What the server is doing, asked again every two seconds while one looks.
import { useEffect, useState } from 'preact/hooks';
import { useWords } from './look.ts';
import { Icon } from './parts.tsx';
import { ApiError, type Api, type Status } from './talk/api.ts';

const askEvery = 2000;

/** Asks as long as the view is shown; one question at a time, and none while the window is hidden. */
function useStatus(api: Api, onLocked: () => void): { status?: Status; failed: string } {
  const [status, setStatus] = useState<Status>();
  const [failed, setFailed] = useState('');
  const words = useWords();
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    const ask = async () => {
      try {
        if (!document.hidden) {
          setStatus(await api.status(stop.signal));
          setFailed('');
        }
      } catch (error) {
        if (stop.signal.aborted) return;
        if (error instanceof ApiError && error.status === 401) onLocked();
        setFailed(error instanceof ApiError && error.message ? error.message : words.unreachable);
      }
      timer = window.setTimeout(ask, askEvery);
    };
    void ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [api]);
  return { status, failed };
}

function Fact({ name, value, note }: { name: string; value: string; note?: string }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>
        {value} {note && <small>{note}</small>}
      </dd>
    </div>
  );
}

export function StatusView({ api, onMenu, onLocked }: { api: Api; onMenu(): void; onLocked(): void }) {
  const words = useWords();
  const { status, failed } = useStatus(api, onLocked);
  const number = (value: number | undefined) => (value ?? 0).toLocaleString(words.code);
  return (
    <div class="view status">
      <header class="bar">
        <button type="button" class="quiet menu-button" aria-label={words.openMenu} onClick={onMenu}>
          <Icon name="menu" />
        </button>
        <h1>{words.statusTitle}</h1>
        <span class="hint">{words.statusNote}</span>
      </header>
      <div class="scroll">
        <div class="column">
          {failed && <p class="notice">{failed}</p>}
          {!status && !failed && <p class="hint">{words.loading}</p>}
          {status && (
            <>
              <dl class="facts">
                <Fact name={words.version} value={status.version} />
                <Fact name={words.uptime} value={duration(status.uptime_seconds, words.duration)} />
                <Fact
                  name={words.requests}
                  value={`${number(status.requests?.active)} ${words.active}`}
                  note={`${number(status.requests?.total)} ${words.total}`}
                />
                <Fact
                  name={words.cache}
                  value={bytes(status.cache?.bytes ?? 0, words.code)}
                  note={`${number(status.cache?.hits)} ${words.hits} · ${number(status.cache?.tokens_reused)} ${words.reused}`}
                />
              </dl>
              <h2>{words.models}</h2>
              <ModelTable status={status} />
            </>
          )}
        </div>
      </div>
    </div>
  );
}

function ModelTable({ status }: { status: Status }) {
  const words = useWords();
  const number = (value: number) => value.toLocaleString(words.code);
  const none = '–'; // a model not loaded has no size yet
  return (
    <div class="table" tabindex={0}>
      <table>
        <thead>
          <tr>
            {[words.model, words.loaded, words.memory, words.contextSize, words.running, words.waiting].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {status.models.map((model) => (
            <tr key={model.id}>
              <th scope="row">{model.id}</th>
              <td>
                <span class={model.loaded ? 'dot on' : 'dot'} aria-hidden="true" />
                {model.loaded ? words.loadedNames.yes : words.loadedNames.no}
              </td>
              <td>{model.bytes ? bytes(model.bytes, words.code) : none}</td>
              <td>{model.context ? number(model.context) : none}</td>
              <td>{number(model.running)}</td>
              <td>{number(model.waiting)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function bytes(count: number, language: string): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let at = 0;
  for (; count >= 1000 && at < units.length - 1; ++at) count /= 1000;
  return `${count.toLocaleString(language, { maximumFractionDigits: count < 100 && at ? 1 : 0 })} ${units[at]}`;
}

function duration(seconds: number, say: (d: number, h: number, m: number, s: number) => string): string {
  const whole = Math.floor(seconds);
  return say(Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60);
}
