dependencies {
    implementation("org.gull.example:wing:4.1")
}
