// The reference: a list of endpoints at the side, each endpoint with its fields, answers and a call to copy.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { LookContext, useOwnLook, useWords } from '../look.ts';
import { Brand, Icon, LanguageSwitch, ThemeSwitch } from '../parts.tsx';
import { Api, ApiError } from '../talk/api.ts';
import { kept } from '../talk/storage.ts';
import { Markdown } from '../text/Markdown.tsx';
import { groups, type Description, type Group } from './openapi.ts';
import { OperationView } from './OperationView.tsx';

function useDescription(): { description?: Description; failed: string } {
  const [description, setDescription] = useState<Description>();
  const [failed, setFailed] = useState('');
  useEffect(() => {
    const api = new Api();
    api.key = kept('key');
    api.get<Description>('/openapi.json').then(setDescription, (error: unknown) => {
      setFailed(error instanceof ApiError ? error.message || '–' : String(error));
    });
  }, []);
  return { description, failed };
}

export function Docs() {
  const look = useOwnLook();
  const { words } = look;
  const { description, failed } = useDescription();
  const [query, setQuery] = useState('');
  const shown = useMemo(() => narrow(description ? groups(description) : [], query), [description, query]);
  document.title = `${words.docsTitle} · madang`;
  useEffect(() => {
    // The place named in the address exists only now.
    if (description && location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }, [description]);
  return (
    <LookContext.Provider value={look}>
      <div class="docs">
        <header class="top">
          <a href="/" class="home" aria-label={`madang: ${words.backToChat}`}>
            <Brand />
          </a>
          <span class="gap" />
          <a class="quiet" href="/">
            <Icon name="chat" /> {words.backToChat}
          </a>
          <LanguageSwitch />
          <ThemeSwitch />
        </header>
        <div class="docs-body">
          <nav aria-label={words.endpoints}>
            <input
              type="search"
              value={query}
              placeholder={words.filterEndpoints}
              aria-label={words.filterEndpoints}
              onInput={(event) => setQuery(event.currentTarget.value)}
            />
            <Contents shown={shown} />
            {description && !shown.length && <p class="hint">{words.nothingFound}</p>}
          </nav>
          <main>
            <h1>{words.docsTitle}</h1>
            <p>
              {words.docsLead} <a href="/openapi.json">{words.rawDescription}</a>
            </p>
            {failed && (
              <p class="notice">
                {words.docsFailed} {failed}
              </p>
            )}
            {!description && !failed && <p class="hint">{words.loading}</p>}
            {description?.info?.description && <Markdown text={description.info.description} />}
            {description && shown.map((group) => <GroupView key={group.name} group={group} root={description} />)}
          </main>
        </div>
      </div>
    </LookContext.Provider>
  );
}

function narrow(all: Group[], query: string): Group[] {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return all;
  return all
    .map((group) => {
      const operations = group.operations.filter(({ method, path, summary }) => {
        return `${method} ${path} ${summary ?? ''} ${group.name}`.toLowerCase().includes(wanted);
      });
      return { ...group, operations };
    })
    .filter((group) => group.operations.length);
}

function Contents({ shown }: { shown: Group[] }) {
  return (
    <ul>
      {shown.map((group) => (
        <li key={group.name}>
          <b>{group.name}</b>
          <ul>
            {group.operations.map(({ id, method, path }) => (
              <li key={id}>
                <a href={`#${id}`}>
                  <span class={`method ${method}`}>{method}</span> {path}
                </a>
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ul>
  );
}

function GroupView({ group, root }: { group: Group; root: Description }) {
  useWords();
  return (
    <section>
      <h2>{group.name}</h2>
      {group.description && <Markdown text={group.description} />}
      {group.operations.map((operation) => (
        <OperationView key={operation.id} operation={operation} root={root} />
      ))}
    </section>
  );
}
