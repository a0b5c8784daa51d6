// Starts the app of the page: hands it the data the server rendered from, then loads its module.
const value = (name) => document.querySelector(`meta[name="${name}"]`).content;
window.initial_dioxus_hydration_data = document.getElementById("hydration")?.dataset.value ?? "gA==";
window.hydrate_queue = [];
const { default: start } = await import(value("astro-glue"));
await start({ module_or_path: value("astro-module") });
