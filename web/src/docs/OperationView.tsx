// One endpoint: what it is for, what it takes, what it answers, and a call to copy.
import { useWords } from '../look.ts';
import { Markdown } from '../text/Markdown.tsx';
import * as api from './openapi.ts';

interface Props {
  operation: api.Operation;
  root: api.Description;
}

export function OperationView({ operation, root }: Props) {
  const words = useWords();
  const { id, method, path, summary, description } = operation;
  const body = operation.requestBody && api.mediaOf(api.follow(root, operation.requestBody));
  const parameters = (operation.parameters ?? []).map((parameter) => api.follow(root, parameter));
  return (
    <article class="operation" id={id} aria-labelledby={`${id}-name`}>
      <h3 id={`${id}-name`}>
        <span class={`method ${method}`}>{method}</span> <code>{path}</code>
      </h3>
      {summary && <p class="summary">{summary}</p>}
      {description && <Markdown text={description} />}
      {parameters.length > 0 && (
        <>
          <h4>{words.parametersTitle}</h4>
          <dl class="fields">
            {parameters.map((one) => (
              <Field key={one.name} root={root} name={`${one.name} (${one.in})`} required={!!one.required}
                schema={{ ...one.schema, description: one.description ?? one.schema?.description }} depth={0} />
            ))}
          </dl>
        </>
      )}
      {body?.media.schema && (
        <>
          <h4>
            {words.requestBody} <small>{body.type}</small>
          </h4>
          <Fields root={root} schema={body.media.schema} depth={0} />
        </>
      )}
      <h4>{words.responses}</h4>
      {Object.entries(operation.responses ?? {}).map(([code, response]) => (
        <Response key={code} root={root} code={code} body={api.follow(root, response)} />
      ))}
      <h4>{words.example}</h4>
      <Markdown text={`\`\`\`bash\n${api.curl(root, operation)}\n\`\`\``} />
    </article>
  );
}

function Response({ root, code, body }: { root: api.Description; code: string; body: api.Body }) {
  const media = api.mediaOf(body);
  const inside = media?.media.schema && api.fields(root, media.media.schema).fields.length > 0;
  const head = (
    <>
      <b class={code.startsWith('2') ? 'good' : 'bad'}>{code}</b> {body.description}{' '}
      {media && <small>{media.type}</small>}
    </>
  );
  if (!media?.media.schema || !inside) return <p class="response">{head}</p>;
  return (
    <details class="fold">
      <summary>{head}</summary>
      <Fields root={root} schema={media.media.schema} depth={0} />
    </details>
  );
}

/** Deeper than this a schema is its type's name: real ones refer to themselves. */
const deepest = 4;

function Fields({ root, schema, depth }: { root: api.Description; schema: api.Schema; depth: number }) {
  const { fields, required } = api.fields(root, schema);
  if (!fields.length) return null;
  return (
    <dl class="fields">
      {fields.map(([name, inner]) => (
        <Field key={name} root={root} name={name} schema={inner} required={required.has(name)} depth={depth} />
      ))}
    </dl>
  );
}

interface FieldProps {
  root: api.Description;
  name: string;
  schema: api.Schema;
  required: boolean;
  depth: number;
}

function Field({ root, name, schema, required, depth }: FieldProps) {
  const words = useWords();
  const found = api.follow(root, schema);
  const text = schema.description ?? found.description;
  const more = depth < deepest && api.fields(root, found).fields.length > 0;
  const limits = [found.minimum !== undefined && `≥ ${found.minimum}`, found.maximum !== undefined && `≤ ${found.maximum}`];
  const show = (value: unknown) => <code>{JSON.stringify(value)}</code>;
  return (
    <>
      <dt>
        <code>{name}</code>
        <small>{[api.typeName(root, found), found.format, ...limits].filter(Boolean).join(' ')}</small>
        {required && <small class="required">{words.required}</small>}
      </dt>
      <dd>
        {text && <Markdown text={text} />}
        {found.enum && (
          <p class="hint">
            {words.values}: {found.enum.map((value, at) => [at > 0 && ', ', show(value)])}
          </p>
        )}
        {found.default !== undefined && (
          <p class="hint">
            {words.defaultValue}: {show(found.default)}
          </p>
        )}
        {more && (
          <details class="fold">
            <summary>{api.typeName(root, found)}</summary>
            <Fields root={root} schema={found} depth={depth + 1} />
          </details>
        )}
      </dd>
    </>
  );
}
