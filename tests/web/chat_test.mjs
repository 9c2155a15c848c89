// Talking: send, stream, stop, reload, edit, branch, tools, Korean composition, keeping and taking out.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { answers, reader, real, say, start } from './browser.mjs';

let house;
before(async () => (house = await start()));
after(() => house.close());
const standIn = { skip: real ? 'needs the stand-in’s fixed words' : false };

test('a chat streams, shows its figures, and a reload keeps it', async () => {
  const { page, faults } = await reader(house);
  await say(page, 'Hello there');
  const text = await answers(page).last().innerText();
  assert.ok(text.length > 0);
  if (!real) assert.match(text, /You said “Hello there”\. That was message 1\./);
  assert.match(await page.locator('.speed').innerText(), /token/);
  if (!real) assert.match(await page.locator('.context').innerText(), /of 8,192 tokens/);
  await page.waitForTimeout(200);
  await page.reload();
  await answers(page).last().waitFor();
  assert.equal(await answers(page).last().innerText(), text);
  assert.equal(await page.locator('aside nav li').count(), 1);
  await say(page, 'And again');
  assert.equal(await answers(page).count(), 2);
  assert.deepEqual(faults, []);
});

test('Esc stops an answer and keeps what came', standIn, async () => {
  const { page } = await reader(house);
  await page.fill('#message', 'slow');
  await page.press('#message', 'Enter');
  await page.locator('text=word3 ').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('text=You stopped this answer.').waitFor();
  const text = await answers(page).innerText();
  assert.match(text, /word3\b/);
  assert.doesNotMatch(text, /word99/);
  assert.equal(await page.locator('#message').evaluate((field) => field === document.activeElement), true);
});

test('a page that goes away in the middle keeps the beginning', standIn, async () => {
  const { page } = await reader(house);
  await page.fill('#message', 'slow');
  await page.press('#message', 'Enter');
  await page.locator('text=word25 ').waitFor();
  await page.reload();
  await page.locator('text=The connection ended before the answer did.').waitFor();
  assert.match(await answers(page).innerText(), /word3 /);
});

test('editing a message branches, and both branches stay', async () => {
  const { page } = await reader(house);
  await say(page, 'first');
  const before = await answers(page).innerText();
  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  await page.getByLabel('Edit your message').fill('second');
  await page.getByLabel('Edit your message').press('Enter');
  await page.locator('.versions >> text=2/2').waitFor();
  await page.locator('.round[type=submit]').waitFor();
  assert.equal(await page.locator('.said').innerText(), 'second');
  await page.getByRole('button', { name: 'Previous version' }).click();
  assert.equal(await page.locator('.said').innerText(), 'first');
  assert.equal(await answers(page).innerText(), before);
  await page.waitForTimeout(200);
  await page.reload();
  await page.locator('.versions >> text=1/2').waitFor();
});

test('answering again gives a second version', async () => {
  const { page } = await reader(house);
  await say(page, 'once');
  await page.getByRole('button', { name: 'Answer again' }).click();
  await page.locator('.message.assistant .versions >> text=2/2').waitFor();
  assert.equal(await page.locator('.said').count(), 1);
});

test('Enter during a Korean composition sends nothing', async () => {
  const { page, context } = await reader(house);
  const devtools = await context.newCDPSession(page);
  await page.focus('#message');
  for (const text of ['ㅎ', '하', '한']) {
    await devtools.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
  }
  // What an input method does with the Enter that ends a syllable: keyCode 229 while it composes.
  await devtools.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', windowsVirtualKeyCode: 229, key: 'Process', code: 'Enter' });
  await page.locator('#message').evaluate((field) => {
    for (const init of [{ isComposing: true }, { keyCode: 229 }]) {
      field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...init }));
    }
  });
  assert.equal(await page.locator('.message').count(), 0);
  await devtools.send('Input.insertText', { text: '한글' });
  assert.equal(await page.inputValue('#message'), '한글');
  await page.press('#message', 'Shift+Enter');
  assert.equal(await page.inputValue('#message'), '한글\n');
  await page.press('#message', 'Enter');
  await answers(page).waitFor();
  assert.equal(await page.locator('.said').innerText(), '한글');
  assert.equal(await page.locator('.said').getAttribute('lang'), 'ko');
});

test('reasoning and tool calls are folded, and a result goes back', standIn, async () => {
  const { page } = await reader(house);
  await say(page, 'think: deep thoughts');
  assert.equal(await page.locator('details.fold').first().getAttribute('open'), null);
  assert.match(await page.locator('details.fold').first().textContent(), /deep thoughts/);
  await say(page, 'call');
  assert.match(await page.locator('details.fold').last().textContent(), /get_weather[^]*"city": "Seoul"/);
  await page.getByLabel('Result of get_weather').fill('18 °C');
  await page.getByRole('button', { name: 'Give the results' }).click();
  await page.locator('.answer', { hasText: 'The tool said: 18 °C' }).waitFor();
});

test('settings are sent when set and not when empty', async () => {
  const { page } = await reader(house);
  await page.getByRole('button', { name: 'Settings of this conversation' }).click();
  await page.getByLabel('System prompt').fill('Be brief.');
  await page.getByLabel('Temperature').fill('0.2');
  await page.getByLabel('Stop sequences').fill('END');
  await page.getByRole('button', { name: 'Save' }).click();
  const [request] = await Promise.all([page.waitForRequest('**/v1/chat/completions'), say(page, 'hi')]);
  const body = request.postDataJSON();
  assert.deepEqual(body.messages[0], { role: 'system', content: 'Be brief.' });
  assert.equal(body.temperature, 0.2);
  assert.deepEqual(body.stop, ['END']);
  assert.equal(body.stream_options.include_usage, true);
  for (const name of ['top_p', 'top_k', 'min_p', 'seed', 'tools', 'max_tokens']) assert.ok(!(name in body), name);
});

test('rename, export, delete, import', async () => {
  const { page } = await reader(house);
  await say(page, 'keep me');
  const menu = () => page.locator('aside nav li button').first().click();
  await menu();
  await page.getByRole('menuitem', { name: 'Rename' }).click();
  await page.getByLabel('Title').fill('간직할 대화');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('aside nav a', { hasText: '간직할 대화' }).waitFor();
  const take = async (name) => {
    await menu();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name }).click()]);
    return download.path();
  };
  const markdown = await readFile(await take('Export as Markdown'), 'utf8');
  assert.match(markdown, /^# 간직할 대화\n\n## You\n\nkeep me\n\n## Answer/);
  const json = await readFile(await take('Export as JSON'));
  await menu();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.locator('aside nav li').waitFor({ state: 'detached' });
  await page.setInputFiles('aside input[type=file]', { name: 'a.json', mimeType: 'application/json', buffer: json });
  await page.locator('aside nav a', { hasText: '간직할 대화' }).click();
  assert.equal(await page.locator('.said').innerText(), 'keep me');
  const broken = Buffer.from('{"format":"madang-conversations","conversations":[{"messages":[{"role":"wizard"}]}]}');
  await page.setInputFiles('aside input[type=file]', { name: 'b.json', mimeType: 'application/json', buffer: broken });
  await page.locator('aside .notice', { hasText: 'conversations[0].messages[0].role' }).waitFor();
});

test('a refusal is told in the server’s words', standIn, async () => {
  const { page } = await reader(house);
  await say(page, 'refuse');
  assert.match(await answers(page).innerText(), /The server refused: The prompt does not fit\./);
});

test('a server with keys is asked with one', async () => {
  const locked = await start({ key: 'secret-1' });
  try {
    const context = await locked.browser.newContext({ locale: 'en-US' });
    const page = await context.newPage();
    page.setDefaultTimeout(10000);
    await page.goto(`${locked.origin}/`);
    await page.getByLabel('API key').fill('secret-1');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('select.model:enabled').waitFor();
    await say(page, 'hello');
    assert.ok((await answers(page).innerText()).length > 0);
  } finally {
    await locked.close();
  }
});
