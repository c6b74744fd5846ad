"""Made-up words for made-up people: no name, number or address here belongs to anybody."""

GIVEN = {
    "L": ("Contoh", "Budiman", "Surya", "Rahmat", "Jaya", "Teguh", "Wawan", "Herman", "Dodi", "Yusuf"),
    "P": ("Contohwati", "Melati", "Sri", "Ningsih", "Dewi", "Rohana", "Yanti", "Aminah", "Ratna", "Lestari"),
}
FAMILY = ("Purnama", "Pelangi", "Samudra", "Timah", "Lada", "Mentari", "Bahari", "Sungai", "Pantai", "Bukit")
STREETS = ("Jalan Pelangi", "Gang Melati", "Jalan Contoh", "Gang Rebana", "Jalan Purnama")
LANDMARKS = ("dekat musala", "di belakang pasar", "samping lapangan voli", "rumah panggung biru", "seberang warung kopi")
