// Pictures of the page for the READMEs: node picture.mjs [--lang=ko] OUT.png. On MADANG_URL, or on the stand-in.
import { reader, say, start } from './browser.mjs';

const korean = process.argv.includes('--lang=ko');
const asked = korean
  ? ['피보나치 수를 구하는 파이썬 함수를 써 줘.', 'Binet 공식도 알려 줘.']
  : ['Write a Python function for Fibonacci numbers.', 'And what is Binet’s formula?'];
const told = korean
  ? [
      '두 수만 기억하면 됩니다.\n\n```python\ndef fibonacci(n: int) -> int:\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n```\n\n| `n` | 0 | 1 | 2 | 10 | 50 |\n|---|--:|--:|--:|--:|--:|\n| 값 | 0 | 1 | 1 | 55 | 12586269025 |',
      '황금비 $\\varphi = \\frac{1+\\sqrt5}{2}$를 쓰면 닫힌 식으로 적을 수 있습니다.\n\n$$F_n = \\frac{\\varphi^n - (-\\varphi)^{-n}}{\\sqrt5}$$',
    ]
  : [
      'Two numbers are all it has to remember.\n\n```python\ndef fibonacci(n: int) -> int:\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n```\n\n| `n` | 0 | 1 | 2 | 10 | 50 |\n|---|--:|--:|--:|--:|--:|\n| value | 0 | 1 | 1 | 55 | 12586269025 |',
      'With the golden ratio $\\varphi = \\frac{1+\\sqrt5}{2}$ there is a closed form.\n\n$$F_n = \\frac{\\varphi^n - (-\\varphi)^{-n}}{\\sqrt5}$$',
    ];

const house = await start();
const { page } = await reader(house, {
  locale: korean ? 'ko-KR' : 'en-US',
  colorScheme: korean ? 'dark' : 'light',
  viewport: { width: 1180, height: 980 },
});
for (const [at, text] of asked.entries()) {
  // The stand-in says what it is told to; the picture shows the question a person would ask.
  await page.route('**/v1/chat/completions', (route) => {
    const body = route.request().postDataJSON();
    if (!process.env.MADANG_URL) body.messages.at(-1).content = `say: ${told[at]}`;
    return route.continue({ postData: JSON.stringify(body) });
  });
  await say(page, text);
  await page.unroute('**/v1/chat/completions');
}
await page.waitForTimeout(500);
await page.screenshot({ path: process.argv.at(-1) });
await house.close();
