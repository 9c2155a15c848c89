// What every test of the page needs: a server, a browser that knows nobody, and a record of all it asked for.
import { chromium } from 'playwright-core';
import { fileURLToPath } from 'node:url';
import { serve } from '../../web/dev_server.mjs';

export const real = process.env.MADANG_URL; // a running madang, or nothing: then the stand-in

export async function start({ key = '' } = {}) {
  const server = real && !key ? undefined : await serve(fileURLToPath(new URL('../../web/dist', import.meta.url)), 0, key);
  const origin = server ? `http://127.0.0.1:${server.address().port}` : new URL(real).origin;
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
  });
  const close = async () => {
    await browser.close();
    server?.closeAllConnections();
    server?.close();
  };
  return { origin, browser, close };
}

/** A fresh reader with a fresh page; `asked` collects every address it asked for, `faults` what the browser found wrong. */
export async function reader({ browser, origin }, options = {}) {
  const context = await browser.newContext({ locale: 'en-US', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(Number(process.env.MADANG_PATIENCE ?? 10000));
  const asked = [];
  const faults = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  await page.goto(`${origin}/`);
  await page.locator('select.model:enabled').waitFor();
  return { context, page, asked, faults };
}

/** Sends a message and waits for the end of the answer. */
export async function say(page, text) {
  await page.fill('#message', text);
  await page.press('#message', 'Enter');
  await page.locator('.round[type=submit]').waitFor();
  await page.locator('.answer:not(.writing)').last().waitFor();
}

export const answers = (page) => page.locator('.message.assistant .answer');
