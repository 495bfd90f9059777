document.getElementById("carry").submit();
