// Before anything is painted: the theme chosen by hand, if one was.
try {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch { /* storage is forbidden: the system's theme stays */ }
