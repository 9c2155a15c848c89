// Conversations in this browser's IndexedDB, one record each; small choices (theme, language, key) in localStorage.
// Where the browser forbids storage (some private windows) the page works all the same and keeps nothing.
import type { Conversation } from './conversation.ts';

const store = 'conversations';

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('madang', 1);
    request.onupgradeneeded = () => request.result.createObjectStore(store, { keyPath: 'id' });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function run<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(store, mode);
      const request = act(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

export const loadAll = (): Promise<Conversation[]> => run('readonly', (all) => all.getAll());
export const load = (id: string): Promise<Conversation | undefined> => run('readonly', (all) => all.get(id));
export const save = (talk: Conversation): Promise<unknown> => run('readwrite', (all) => all.put(talk));
export const remove = (id: string): Promise<unknown> => run('readwrite', (all) => all.delete(id));

export function keep(name: string, value: string): void {
  try {
    if (value) localStorage.setItem(`madang.${name}`, value);
    else localStorage.removeItem(`madang.${name}`);
  } catch {
    // Storage is forbidden or full: the choice lasts as long as the page.
  }
}

export function kept(name: string): string {
  try {
    return localStorage.getItem(`madang.${name}`) ?? '';
  } catch {
    return '';
  }
}
