<#
.SYNOPSIS
Installs edge-all from an offline bundle and runs a station from the next log-on.

.DESCRIPTION
Runs the bundle, which verifies itself, and registers a scheduled task of the current user that judges the images
arriving in a folder and shows the page at http://127.0.0.1:8470. Running it again updates. Needs Python for Windows and no administrator.

.EXAMPLE
./Install-Station.ps1 -Bundle .\edge-all-0.1.0-cpu+station-windows-amd64-cp312-1a2b3c4d.pyz -Images D:\Camera
#>
[CmdletBinding(SupportsShouldProcess)]
param(
    [Parameter(Mandatory)] [ValidateScript({ Test-Path -LiteralPath $_ -PathType Leaf })] [string] $Bundle,
    [Parameter(Mandatory)] [ValidateScript({ Test-Path -LiteralPath $_ -PathType Container })] [string] $Images,
    [string] $Into = (Join-Path $env:LOCALAPPDATA 'edge-all-program'),
    [string] $Station = (Join-Path $env:LOCALAPPDATA 'edge-all\station'),
    [string] $Python = 'py'
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$TaskName = 'edge-all station'

if ($PSCmdlet.ShouldProcess($Into, 'Install edge-all')) {
    & $Python $Bundle --into $Into
    if ($LASTEXITCODE -ne 0) {
        throw "The bundle was not installed (exit status $LASTEXITCODE); what was there before goes on."
    }
}

$Command = Join-Path $Into 'bin\edge-all.cmd'
$Action = New-ScheduledTaskAction -Execute $Command -Argument "station `"$Images`" --station `"$Station`""
$Trigger = New-ScheduledTaskTrigger -AtLogOn -User $env:USERNAME
$Settings = New-ScheduledTaskSettingsSet -RestartCount 3 -RestartInterval (New-TimeSpan -Minutes 1) `
    -ExecutionTimeLimit ([TimeSpan]::Zero) -MultipleInstances IgnoreNew -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries

if ($PSCmdlet.ShouldProcess($TaskName, 'Register the scheduled task')) {
    Register-ScheduledTask -TaskName $TaskName -Action $Action -Trigger $Trigger -Settings $Settings -Force | Out-Null
    Start-ScheduledTask -TaskName $TaskName
    Write-Output "edge-all watches $Images; its page is http://127.0.0.1:8470. The command is $Command."
}
