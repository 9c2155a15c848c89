// A conversation as a file of its own, named after its title.
import type { Conversation } from '../talk/conversation.ts';
import { toJson, toMarkdown } from '../talk/exchange.ts';
import { saveFile } from '../text/copy.ts';

export function exportTalk(talk: Conversation, as: 'json' | 'md', names: Parameters<typeof toMarkdown>[1]): void {
  const name = (talk.title || 'madang').replace(/[\\/:*?"<>|\u0000-\u001f]+/g, ' ').trim().slice(0, 60) || 'madang';
  if (as === 'json') saveFile(`${name}.json`, 'application/json', toJson([talk]));
  else saveFile(`${name}.md`, 'text/markdown', toMarkdown(talk, names));
}
