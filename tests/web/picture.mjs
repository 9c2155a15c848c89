// Pictures of the page for the READMEs, on a running madang:
// MADANG_URL=http://127.0.0.1:8080 node picture.mjs [--lang=ko] [--dark] [--model=NAME] [--body=JSON] QUESTION... OUT.png
// What stands in them is what the model said: greedily, so that the same model says it again. --body: more fields of
// the requests.
import { reader, real, say, start } from './browser.mjs';

const flags = process.argv.slice(2).filter((word) => word.startsWith('--'));
const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const path = words.pop();
if (!real || !path || words.length === 0) {
  console.error('MADANG_URL=http://... node picture.mjs [--lang=ko] [--dark] [--model=NAME] [--body=JSON] QUESTION... OUT.png');
  process.exit(1);
}
const house = await start();
const { page } = await reader(house, {
  locale: flags.includes('--lang=ko') ? 'ko-KR' : 'en-US',
  colorScheme: flags.includes('--dark') ? 'dark' : 'light',
  viewport: { width: 1100, height: 860 },
});
page.setDefaultTimeout(120_000);
const value = (name) => flags.find((flag) => flag.startsWith(`--${name}=`))?.slice(name.length + 3);
const model = value('model');
const more = JSON.parse(value('body') ?? '{}');
if (model) await page.selectOption('select.model', model);
await page.route('**/v1/chat/completions', (route) => {
  const body = { ...route.request().postDataJSON(), temperature: 0, ...more };
  return route.continue({ postData: JSON.stringify(body) });
});
for (const text of words) await say(page, text);
await page.waitForTimeout(500);
await page.screenshot({ path });
await house.close();
