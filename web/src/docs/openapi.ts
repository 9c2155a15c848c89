// An OpenAPI 3 description as the reference shows it: operations by tag, schemas with their references followed.
// Reads what is there and passes over what it does not know.

export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  example?: unknown;
  minimum?: number;
  maximum?: number;
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  additionalProperties?: boolean | Schema;
}

interface Media {
  schema?: Schema;
  example?: unknown;
  examples?: Record<string, { value?: unknown }>;
}

export interface Body {
  description?: string;
  required?: boolean;
  content?: Record<string, Media>;
  $ref?: string;
}

export interface Parameter {
  $ref?: string;
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
}

interface RawOperation {
  tags?: string[];
  summary?: string;
  description?: string;
  operationId?: string;
  parameters?: Parameter[];
  requestBody?: Body;
  responses?: Record<string, Body>;
}

export interface Description {
  info?: { title?: string; version?: string; description?: string };
  tags?: { name: string; description?: string }[];
  paths?: Record<string, Record<string, RawOperation> & { parameters?: Parameter[] }>;
}

export interface Operation extends RawOperation {
  id: string;
  method: string;
  path: string;
}

export interface Group {
  name: string;
  description?: string;
  operations: Operation[];
}

const methods = ['get', 'post', 'put', 'patch', 'delete'];

export function groups(description: Description): Group[] {
  const all = new Map<string, Group>((description.tags ?? []).map((tag) => [tag.name, { ...tag, operations: [] }]));
  for (const [path, item] of Object.entries(description.paths ?? {})) {
    for (const method of methods) {
      const raw = item[method];
      if (!raw) continue;
      const tag = raw.tags?.[0] ?? path.split('/').find((part) => part && part !== 'v1') ?? '/';
      const group = all.get(tag) ?? { name: tag, operations: [] };
      all.set(tag, group);
      const id = `${method}-${path.replace(/[^\w]+/g, '-').replace(/^-|-$/g, '')}`;
      const parameters = [...(item.parameters ?? []), ...(raw.parameters ?? [])];
      group.operations.push({ ...raw, parameters, id, method, path });
    }
  }
  return [...all.values()].filter((group) => group.operations.length);
}

/** What a "#/a/b" reference points at, following chains; an empty object where it leads nowhere or in a circle. */
export function follow<T extends { $ref?: string }>(root: Description, value: T): T {
  for (let steps = 0; value.$ref && steps < 20; ++steps) {
    const names = value.$ref.replace(/^#\//, '').split('/');
    let at: unknown = root;
    for (const name of names) {
      at = (at as Record<string, unknown> | undefined)?.[name.replace(/~1/g, '/').replace(/~0/g, '~')];
    }
    value = (at ?? {}) as T;
  }
  return value.$ref ? ({} as T) : value;
}

/** A short name of what a schema allows: "string", "array of integer", "string or null". */
export function typeName(root: Description, schema: Schema, depth = 0): string {
  const found = follow(root, schema);
  if (depth > 4) return '…';
  const inner = (part: Schema) => typeName(root, part, depth + 1);
  const choices = found.oneOf ?? found.anyOf;
  if (choices) return [...new Set(choices.map(inner))].join(' | ');
  const types = Array.isArray(found.type) ? found.type : [found.type ?? (found.properties ? 'object' : 'any')];
  return types.map((type) => (type === 'array' && found.items ? `${inner(found.items)}[]` : type)).join(' | ');
}

/** The fields of an object, with those of its parts, or of what its array holds. */
export function fields(root: Description, schema: Schema): { fields: [string, Schema][]; required: Set<string> } {
  const found = follow(root, schema);
  const own: [string, Schema][] = Object.entries(found.properties ?? {});
  const required = new Set(found.required ?? []);
  const parts = [...(found.allOf ?? []), ...(found.oneOf ?? []), ...(found.anyOf ?? [])];
  if (found.items) parts.push(found.items);
  for (const part of parts) {
    const inner = follow(root, part);
    own.push(...Object.entries(inner.properties ?? inner.items?.properties ?? {}));
    if (found.allOf) for (const name of inner.required ?? []) required.add(name);
  }
  return { fields: [...new Map(own)], required };
}

/** A value the schema allows, for an example: what it says itself, else the plainest. */
export function exampleOf(root: Description, schema: Schema, depth = 0): unknown {
  const found = follow(root, schema);
  if (found.example !== undefined) return found.example;
  if (found.default !== undefined && found.default !== null) return found.default;
  if (found.const !== undefined) return found.const;
  if (found.enum?.length) return found.enum[0];
  const first = found.oneOf?.[0] ?? found.anyOf?.[0] ?? found.allOf?.[0];
  if (first && !found.properties) return exampleOf(root, first, depth + 1);
  const type = Array.isArray(found.type) ? found.type[0] : found.type;
  if (type === 'array') return found.items && depth < 5 ? [exampleOf(root, found.items, depth + 1)] : [];
  if (type === 'integer' || type === 'number') return found.minimum ?? 1;
  if (type === 'boolean') return true;
  if (type === 'string') return 'string';
  if (depth >= 5) return {};
  const known = Object.entries(found.properties ?? {}).filter(([name]) => found.required?.includes(name));
  return Object.fromEntries(known.map(([name, inner]) => [name, exampleOf(root, inner, depth + 1)]));
}

/** The request's or response's JSON example and schema, of its first content type. */
export function mediaOf(body: Body): { type: string; media: Media } | undefined {
  const [type, media] = Object.entries(body.content ?? {})[0] ?? [];
  return type && media ? { type, media } : undefined;
}

export function exampleOfMedia(root: Description, media: Media): unknown {
  if (media.example !== undefined) return media.example;
  const named = Object.values(media.examples ?? {})[0]?.value;
  if (named !== undefined) return named;
  return media.schema ? exampleOf(root, media.schema) : undefined;
}

/** The call in a terminal, against this server. */
export function curl(root: Description, operation: Operation): string {
  const lines = [`curl ${location.origin}${operation.path}`];
  if (operation.method !== 'get' && operation.method !== 'post') lines.push(`-X ${operation.method.toUpperCase()}`);
  const body = operation.requestBody && mediaOf(follow(root, operation.requestBody));
  if (body?.type === 'application/json') {
    const json = JSON.stringify(exampleOfMedia(root, body.media) ?? {}, null, 2).replace(/'/g, `'\\''`);
    lines.push("-H 'Content-Type: application/json'", `-d '${json}'`);
  } else if (body) {
    const names = body.media.schema ? fields(root, body.media.schema).fields.map(([name]) => name) : [];
    for (const name of names) lines.push(name === 'file' ? '-F file=@FILE' : `-F ${name}=…`);
  } else if (operation.method === 'post') {
    lines.push('-X POST');
  }
  return lines.join(' \\\n  ');
}
