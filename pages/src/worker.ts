self.addEventListener("connect", () => undefined);
