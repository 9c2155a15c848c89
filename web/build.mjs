// Bundles the page: node build.mjs OUT [--dev]. Writes the files the server serves, by their paths: index.html is "/",
// docs.html "/docs", the rest under page/. Refuses to leave a reference to another host in what it writes.
import { build } from 'esbuild';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const out = process.argv[2] ?? 'dist';
const dev = process.argv.includes('--dev');
const modules = new URL('./node_modules/', import.meta.url);

// KaTeX names each font in three formats; every browser that runs this page reads the first.
const woff2Only = {
  name: 'woff2-only',
  setup(bundler) {
    bundler.onLoad({ filter: /katex\.css$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/,\s*url\([^)]*\.(woff|ttf)\) format\("[^"]*"\)/g, ''),
      loader: 'css',
    }));
  },
};

// The licences of all that is bundled, as they ask.
function notices(inputs) {
  const names = new Set();
  for (const input of inputs) {
    const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) names.add(found[1]);
  }
  const parts = [...names].sort().map((name) => {
    const folder = new URL(`${name}/`, modules);
    const { version, license } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name}: no licence text to pass on`);
    return `${name} ${version} (${license})\n\n${readFileSync(new URL(file, folder), 'utf8').trim()}\n`;
  });
  return `The page of madang contains these packages.\n\n${parts.join(`\n${'-'.repeat(78)}\n\n`)}`;
}

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, 'page'), { recursive: true });
const { metafile } = await build({
  entryPoints: { app: 'src/main.tsx', docs: 'src/docs/main.tsx' },
  outdir: join(out, 'page'),
  bundle: true,
  splitting: true,
  format: 'esm',
  target: ['chrome123', 'firefox120', 'safari17.5'],
  minify: !dev,
  metafile: true,
  legalComments: 'none',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  loader: { '.woff2': 'file' },
  chunkNames: '[name]-[hash]',
  assetNames: '[name]',
  plugins: [woff2Only],
  logLevel: 'warning',
});
for (const name of ['index.html', 'docs.html']) cpSync(join('src', name), join(out, name));
cpSync('src/icon.svg', join(out, 'page', 'icon.svg'));
writeFileSync(join(out, 'page', 'licences.txt'), notices(Object.keys(metafile.inputs)));
for (const name of readdirSync(join(out, 'page')).filter((file) => file.endsWith('.css'))) {
  const foreign = readFileSync(join(out, 'page', name), 'utf8').match(/(url\(|@import)\s*["']?(https?:)?\/\/[^)]*/);
  if (foreign) throw new Error(`${name}: refers to another host: ${foreign[0]}`);
}
