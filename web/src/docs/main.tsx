// The page at /docs: the API reference.
import { render } from 'preact';
import '../style/base.css';
import '../style/text.css';
import './docs.css';
import { Docs } from './Docs.tsx';

const root = document.getElementById('root');
if (root) render(<Docs />, root);
