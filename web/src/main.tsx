// The page at /: chat and status.
import { render } from 'preact';
import 'katex/dist/katex.css';
import './style/base.css';
import './style/frame.css';
import './style/chat.css';
import './style/text.css';
import './style/status.css';
import { App } from './App.tsx';
import { Api } from './talk/api.ts';
import { Session } from './talk/session.ts';

const session = new Session(new Api());
const root = document.getElementById('root');
if (root) render(<App session={session} />, root);
void session.start();
