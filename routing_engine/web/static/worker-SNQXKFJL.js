self.addEventListener("connect",()=>{});
