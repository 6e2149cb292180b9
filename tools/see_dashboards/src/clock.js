// What is seen is as old as the story, so "a minute ago" is reckoned from the story's end. Imported before all else.
const now = Number(new URLSearchParams(location.search).get('now')) * 1000;
Date.now = () => now;
