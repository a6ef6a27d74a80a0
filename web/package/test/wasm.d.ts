/** A wasm file as a data URL, by the bundler that runs the tests. */
declare module '*.wasm?url&inline' {
  const url: string;
  export default url;
}
