// Stylesheets are imported for the bundler; to the type checker they are nothing.
declare module '*.css';
