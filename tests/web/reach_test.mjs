// For everyone: axe finds nothing serious in either theme, a phone's width is enough, Korean is whole, the reference and
// the status are there.
import { AxeBuilder } from '@axe-core/playwright';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { reader, real, say, start } from './browser.mjs';

let house;
before(async () => (house = await start()));
after(() => house.close());

async function check(page, where) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  const told = serious.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)} ${node.any[0]?.message ?? ''}`));
  assert.deepEqual(told, [], where);
}

async function noSideways(page, where) {
  const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= seen, `${where}: ${wide} in ${seen}`);
  // What clips would hide what is too wide: the boxes that scroll up and down must not scroll sideways.
  const boxes = await page.locator('.scroll, aside, aside nav, main').evaluateAll((all) => {
    return all.filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.outerHTML.slice(0, 60));
  });
  assert.deepEqual(boxes, [], where);
}

for (const colorScheme of ['light', 'dark']) {
  test(`axe, ${colorScheme}`, async () => {
    const { page } = await reader(house, { colorScheme });
    await check(page, 'greeting');
    await say(page, 'say: # Title\n\n```python\nimport os  # why\nprint("a", 1)\n```\n\n|a|b|\n|-|-|\n|1|2|\n\n$x^2$ [link](https://example.org)');
    if (!real) await say(page, 'think: hm');
    if (!real) await say(page, 'call');
    await page.waitForTimeout(100);
    await check(page, 'chat');
    await page.getByRole('button', { name: 'Settings of this conversation' }).click();
    await check(page, 'settings');
    await page.keyboard.press('Escape');
    await page.goto(`${house.origin}/#/status`);
    await page.locator('.facts').waitFor();
    await check(page, 'status');
    await page.goto(`${house.origin}/docs`);
    await page.locator('.operation').first().waitFor();
    await check(page, 'docs');
  });
}

test('a phone’s width is enough', async () => {
  const { page } = await reader(house, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  await noSideways(page, 'greeting');
  await say(page, `say: ${'wide'.repeat(60)}\n\n\`\`\`\n${'code '.repeat(60)}\n\`\`\`\n\n|${'a long head|'.repeat(8)}\n|${'-|'.repeat(8)}\n|${'1|'.repeat(8)}\n\n$$${'x+'.repeat(90)}y$$`);
  await noSideways(page, 'chat');
  await page.locator('.menu-button').click();
  await page.locator('aside.open nav li').waitFor();
  await noSideways(page, 'menu');
  await page.locator('aside.open a', { hasText: 'Status' }).click();
  await page.locator('.facts').waitFor();
  await noSideways(page, 'status');
  await page.goto(`${house.origin}/docs`);
  await page.locator('.operation').first().waitFor();
  await noSideways(page, 'docs');
});

test('the reference comes from the server’s description', async () => {
  const { page, faults } = await reader(house);
  await page.goto(`${house.origin}/docs`);
  await page.locator('.operation', { hasText: '/v1/chat/completions' }).first().waitFor();
  await page.locator('nav input').fill('models');
  assert.ok((await page.locator('.operation').count()) >= 1);
  assert.equal(await page.locator('.operation', { hasText: '/v1/chat/completions' }).count(), 0);
  assert.deepEqual(faults, []);
});

test('the status is asked for again', async () => {
  const { page, asked, faults } = await reader(house);
  await page.goto(`${house.origin}/#/status`);
  await page.locator('.facts').waitFor();
  await page.waitForTimeout(2600);
  assert.ok(asked.filter((address) => address === `${house.origin}/status`).length >= 2);
  assert.deepEqual(faults, []);
});

test('Korean browsers are met in Korean, and the switch is kept', async () => {
  const { page } = await reader(house, { locale: 'ko-KR' });
  await page.locator('text=무슨 이야기를 해 볼까요?').waitFor();
  assert.equal(await page.locator('html').getAttribute('lang'), 'ko');
  await page.getByRole('button', { name: 'English' }).click();
  await page.locator('text=What shall we talk about?').waitFor();
  await page.reload();
  await page.locator('text=What shall we talk about?').waitFor();
  await page.getByLabel('Appearance').selectOption('dark');
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(ground, 'rgb(25, 26, 24)');
});

test('a finished answer is announced once, whole', async () => {
  const { page } = await reader(house);
  await say(page, 'hello');
  await page.waitForFunction(() => document.getElementById('announcer')?.textContent?.startsWith('Answer finished.'));
});
