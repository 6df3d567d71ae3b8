// What the console's scripts find on a page: two libraries, and elements of which the page says what they are.
declare const uPlot: any;
declare const htmx: any;
interface EventTarget {
  closest: any; matches: any; dataset: any; value: any; querySelector: any; querySelectorAll: any;
}
interface Event {
  detail: any; key: any; ctrlKey: any; metaKey: any; altKey: any;
}
interface Element {
  dataset: any; value: any; form: any; title: any; showModal: any;
}
